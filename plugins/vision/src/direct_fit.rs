//! Ellipses through edge points in closed form, and the best of many such through random few.
//!
//! The direct least-squares fit (Fitzgibbon, Pilu and Fisher 1999, in the stable form of Halir and Flusser 1998) needs no
//! start and always gives an ellipse; random sample consensus (Fischler and Bolles 1981) keeps what is no part of the
//! outline out of it. Draws are repeatable. Never looks at pixels. Called by the segmenter that is to be independent of
//! [`crate::outline_fit`].

use crate::ellipse::Ellipse;

/// What the points may decide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// All five numbers of an ellipse.
    Free,
    /// Place and size of an outline shaped like this one: a circle in its frame.
    Like(Ellipse),
}

/// An outline that many of the points agree on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConsensusFit {
    pub outline: Ellipse,
    /// Share of the points within the tolerance.
    pub inlier_share: f64,
    /// Root mean square radial residual of those, in pixels.
    pub spread_px: f64,
}

/// Draws. With six of which each is right two times in three, 80 draws give a right one in 999 of 1000 cases.
const DRAWS: usize = 120;
/// Refits to all that agree.
const REFITS: usize = 4;

/// The outline that most points lie on to within `tolerance_px`, fitted to those; `None` where fewer than ten points, or
/// fewer than a quarter of them, agree. Points should be in order around the outline.
#[must_use]
pub fn consensus(points: &[(f64, f64)], shape: Shape, tolerance_px: f64) -> Option<ConsensusFit> {
    let drawn = if matches!(shape, Shape::Free) { 6 } else { 4 };
    if points.len() < 10 || tolerance_px.is_nan() || tolerance_px <= 0.0 {
        return None;
    }
    let mut draws = Draws(0x9e37_79b9_7f4a_7c15);
    let mut best: Option<(f64, Ellipse)> = None;
    let mut few = [(0.0, 0.0); 6];
    for _ in 0..DRAWS {
        // One from each stretch of an arc of half the outline or more: points side by side determine nothing, and what is
        // wrong is often a stretch itself.
        let (start, length) = (draws.share(), 0.5 + 0.5 * draws.share());
        for (stretch, point) in few[..drawn].iter_mut().enumerate() {
            let place = start + length * (stretch as f64 + draws.share()) / drawn as f64;
            *point = points[((place.fract() * points.len() as f64) as usize).min(points.len() - 1)];
        }
        let Some(outline) = fit(few[..drawn].iter().copied(), shape) else { continue };
        // A near miss counts for less than a hit (Torr and Zisserman 2000).
        let gain: f64 = residuals(points, &outline).map(|r| (1.0 - (r / tolerance_px).powi(2)).max(0.0)).sum();
        if best.is_none_or(|(most, _)| gain > most) {
            best = Some((gain, outline));
        }
    }
    let (_, mut outline) = best?;
    for _ in 0..REFITS {
        let near: Vec<_> =
            points.iter().zip(residuals(points, &outline)).filter(|(_, r)| r.abs() < tolerance_px).collect();
        outline = fit(near.iter().map(|(point, _)| **point), shape)?;
    }
    let near = residuals(points, &outline).filter(|r| r.abs() < tolerance_px);
    let (count, squares) = near.fold((0usize, 0.0), |(count, squares), r| (count + 1, squares + r * r));
    let inlier_share = count as f64 / points.len() as f64;
    if count < 10 || inlier_share < 0.25 {
        return None;
    }
    Some(ConsensusFit { outline: outline.upright(), inlier_share, spread_px: (squares / count as f64).sqrt() })
}

/// Repeatable draws: xorshift (Marsaglia 2003).
struct Draws(u64);

impl Draws {
    /// From 0 to 1, without 1.
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}

/// The least-squares outline through these points; `None` where they determine none.
pub fn fit(points: impl Iterator<Item = (f64, f64)> + Clone, shape: Shape) -> Option<Ellipse> {
    let outline = match shape {
        Shape::Free => direct(points)?,
        Shape::Like(like) => alike(points, &like)?,
    };
    outline.is_sound().then_some(outline)
}

fn residuals(points: &[(f64, f64)], outline: &Ellipse) -> impl Iterator<Item = f64> {
    let (gauge, radius) = (outline.gauge(), outline.mean_radius());
    points.iter().map(move |&(x, y)| (gauge.radius_at(x, y) - 1.0) * radius)
}

/// Mean place and mean distance from it: what the points are scaled by, so that their powers stay comparable.
fn scale(points: impl Iterator<Item = (f64, f64)> + Clone) -> Option<(f64, f64, f64)> {
    let count = points.clone().count();
    let share = 1.0 / count.max(1) as f64;
    let (x, y) = points.clone().fold((0.0, 0.0), |(x, y), p| (x + p.0 * share, y + p.1 * share));
    let size = points.map(|p| (p.0 - x).hypot(p.1 - y)).sum::<f64>() * share;
    (size > 1e-9 && size.is_finite()).then_some((x, y, size))
}

type Matrix = [[f64; 3]; 3];

/// Halir and Flusser's: the conic `a x² + b xy + c y² + d x + e y + f = 0` of least algebraic distance with
/// `4 a c - b² = 1`. Names follow their paper.
fn direct(points: impl Iterator<Item = (f64, f64)> + Clone) -> Option<Ellipse> {
    let (x0, y0, size) = scale(points.clone())?;
    let (mut s1, mut s2, mut s3) = ([[0.0; 3]; 3], [[0.0; 3]; 3], [[0.0; 3]; 3]);
    for (x, y) in points {
        let (x, y) = ((x - x0) / size, (y - y0) / size);
        let (quadratic, linear) = ([x * x, x * y, y * y], [x, y, 1.0]);
        for i in 0..3 {
            for j in 0..3 {
                s1[i][j] += quadratic[i] * quadratic[j];
                s2[i][j] += quadratic[i] * linear[j];
                s3[i][j] += linear[i] * linear[j];
            }
        }
    }
    // T = -S3⁻¹ S2ᵀ, M = S1 + S2 T, then C1⁻¹ M.
    let inverse = inverted(&s3)?;
    let mut t = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..3 {
            t[i][j] = -(0..3).map(|k| inverse[i][k] * s2[j][k]).sum::<f64>();
        }
    }
    let mut m = s1;
    for i in 0..3 {
        for j in 0..3 {
            m[i][j] += (0..3).map(|k| s2[i][k] * t[k][j]).sum::<f64>();
        }
    }
    let reduced = [m[2].map(|v| v / 2.0), m[1].map(|v| -v), m[0].map(|v| v / 2.0)];
    let ellipse = |v: &[f64; 3]| 4.0 * v[0] * v[2] - v[1] * v[1];
    let vectors = eigenvalues(&reduced).into_iter().filter_map(|value| eigenvector(&reduced, value));
    let [a, b, c] = vectors.max_by(|u, v| ellipse(u).total_cmp(&ellipse(v))).filter(|v| ellipse(v) > 1e-9)?;
    let [d, e, f] = t.map(|row| row[0] * a + row[1] * b + row[2] * c);
    let determinant = 4.0 * a * c - b * b;
    let (cx, cy) = ((b * e - 2.0 * c * d) / determinant, (b * d - 2.0 * a * e) / determinant);
    // About its centre the conic is `a u² + b uv + c v² = rest`.
    let rest = -(f + 0.5 * (d * cx + e * cy));
    let angle = 0.5 * b.atan2(a - c);
    let (sin, cos) = angle.sin_cos();
    let along = (a * cos * cos + b * cos * sin + c * sin * sin) / rest;
    let across = (a * sin * sin - b * cos * sin + c * cos * cos) / rest;
    if !(along > 0.0 && across > 0.0) {
        return None;
    }
    let outline = Ellipse {
        cx: x0 + size * cx,
        cy: y0 + size * cy,
        ax: size / along.sqrt(),
        by: size / across.sqrt(),
        angle_deg: angle.to_degrees(),
    };
    Some(outline.upright())
}

/// The circle of least algebraic distance (Kåsa 1976) in the frame in which `like` is a unit circle.
fn alike(points: impl Iterator<Item = (f64, f64)> + Clone, like: &Ellipse) -> Option<Ellipse> {
    let (sin, cos) = like.angle_deg.to_radians().sin_cos();
    let framed = points.map(move |(x, y)| {
        let (dx, dy) = (x - like.cx, y - like.cy);
        ((dx * cos + dy * sin) / like.ax, (dy * cos - dx * sin) / like.by)
    });
    let (x0, y0, size) = scale(framed.clone())?;
    let (mut matrix, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for (x, y) in framed {
        let row = [(x - x0) / size, (y - y0) / size, 1.0];
        let square = row[0] * row[0] + row[1] * row[1];
        for i in 0..3 {
            right[i] += row[i] * square;
            for j in 0..3 {
                matrix[i][j] += row[i] * row[j];
            }
        }
    }
    let inverse = inverted(&matrix)?;
    let [p, q, r] = inverse.map(|row| row[0] * right[0] + row[1] * right[1] + row[2] * right[2]);
    let radius = (r + 0.25 * (p * p + q * q)).max(0.0).sqrt() * size;
    let (u, v) = ((x0 + 0.5 * p * size) * like.ax, (y0 + 0.5 * q * size) * like.by);
    let outline = like.scaled(radius);
    Some(Ellipse { cx: like.cx + u * cos - v * sin, cy: like.cy + u * sin + v * cos, ..outline })
}

fn cross(a: &[f64; 3], b: &[f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// `None` where points lie on a line.
fn inverted(m: &Matrix) -> Option<Matrix> {
    let columns = [cross(&m[1], &m[2]), cross(&m[2], &m[0]), cross(&m[0], &m[1])];
    let determinant = dot(&m[0], &columns[0]);
    if determinant.abs() < 1e-12 * m[2][2].abs().powi(3).max(1e-300) {
        return None;
    }
    let mut inverse = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..3 {
            inverse[i][j] = columns[j][i] / determinant;
        }
    }
    Some(inverse)
}

/// The real eigenvalues, by the roots of the characteristic polynomial (Viète, Cardano).
fn eigenvalues(m: &Matrix) -> Vec<f64> {
    let trace = m[0][0] + m[1][1] + m[2][2];
    let minor = |i: usize, j: usize| m[i][i] * m[j][j] - m[i][j] * m[j][i];
    let minors = minor(0, 1) + minor(0, 2) + minor(1, 2);
    let determinant = dot(&m[0], &cross(&m[1], &m[2]));
    // λ = t + trace / 3 makes it t³ + p t + q.
    let p = minors - trace * trace / 3.0;
    let q = -2.0 * trace.powi(3) / 27.0 + trace * minors / 3.0 - determinant;
    let (half, third) = (q / 2.0, p / 3.0);
    let discriminant = half * half + third * third * third;
    let shift = trace / 3.0;
    if discriminant > 0.0 {
        let root = discriminant.sqrt();
        return vec![(-half + root).cbrt() + (-half - root).cbrt() + shift];
    }
    let radius = (-third).max(0.0).sqrt();
    let angle = if radius > 0.0 { (-half / radius.powi(3)).clamp(-1.0, 1.0).acos() / 3.0 } else { 0.0 };
    (0..3).map(|k| 2.0 * radius * (angle + std::f64::consts::TAU * f64::from(k) / 3.0).cos() + shift).collect()
}

/// What is perpendicular to the rows of `m - value`, of length one.
fn eigenvector(m: &Matrix, value: f64) -> Option<[f64; 3]> {
    let mut rows = *m;
    (0..3).for_each(|i| rows[i][i] -= value);
    let pairs = [cross(&rows[0], &rows[1]), cross(&rows[0], &rows[2]), cross(&rows[1], &rows[2])];
    let longest = pairs.into_iter().max_by(|u, v| dot(u, u).total_cmp(&dot(v, v)))?;
    let length = dot(&longest, &longest).sqrt();
    (length > 1e-300).then(|| longest.map(|v| v / length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rim(outline: &Ellipse, count: usize) -> Vec<(f64, f64)> {
        outline.offsets(count).map(|(dx, dy)| (outline.cx + dx, outline.cy + dy)).collect()
    }

    fn off(truth: &Ellipse, found: &Ellipse) -> f64 {
        rim(truth, 72)
            .iter()
            .map(|&(x, y)| (found.radius_at(x, y) - 1.0).abs() * found.mean_radius())
            .fold(0.0, f64::max)
    }

    fn any_ellipse() -> impl Strategy<Value = Ellipse> {
        (20.0..900.0f64, 20.0..900.0f64, 6.0..400.0f64, 0.6..1.6f64, -44.0..44.0f64)
            .prop_map(|(cx, cy, ax, aspect, angle_deg)| Ellipse { cx, cy, ax, by: ax * aspect, angle_deg })
    }

    proptest! {
        #[test]
        fn points_of_an_ellipse_give_that_ellipse(truth in any_ellipse(), count in 6usize..200) {
            let found = fit(rim(&truth, count).into_iter(), Shape::Free).unwrap();
            prop_assert!(off(&truth, &found) < 1e-4 * truth.mean_radius(), "{truth:?} {found:?}");
        }

        #[test]
        fn a_held_shape_finds_place_and_size(
            like in any_ellipse(), dx in -30.0..30.0f64, dy in -30.0..30.0f64, factor in 0.1..1.5f64,
        ) {
            let truth = Ellipse { cx: like.cx + dx, cy: like.cy + dy, ..like.scaled(factor) };
            let found = fit(rim(&truth, 20).into_iter(), Shape::Like(like)).unwrap();
            prop_assert!(off(&truth, &found) < 1e-6 * like.mean_radius(), "{truth:?} {found:?}");
        }

        #[test]
        fn what_lies_elsewhere_has_no_say(truth in any_ellipse(), from in 0usize..360, many in 0usize..130) {
            // A stretch of the rim, up to more than a third, was read a fifth of the radius further in: somewhere else by
            // any measure: where it is only a few tolerances, another ellipse fits more of the points than the true one.
            let mut points = rim(&truth, 360);
            for i in from..from + many {
                let inner = rim(&truth.scaled(0.8), 360)[i % 360];
                points[i % 360] = inner;
            }
            let tolerance = (0.01 * truth.mean_radius()).max(0.3);
            prop_assume!(0.2 * truth.ax.min(truth.by) > 8.0 * tolerance);
            for shape in [Shape::Free, Shape::Like(Ellipse { cx: truth.cx + 3.0, ..truth.scaled(1.1) })] {
                let found = consensus(&points, shape, tolerance).unwrap();
                prop_assert!(off(&truth, &found.outline) < 0.2 * tolerance, "{truth:?} {found:?}");
                prop_assert!((found.inlier_share - (360 - many) as f64 / 360.0).abs() < 0.05);
            }
        }
    }

    #[test]
    fn points_that_determine_nothing_give_nothing() {
        let line: Vec<_> = (0..40).map(|i| (f64::from(i), 3.0 + 2.0 * f64::from(i))).collect();
        assert_eq!(fit(line.iter().copied(), Shape::Like(Ellipse::circle(0.0, 0.0, 5.0))), None);
        assert_eq!(fit(std::iter::empty(), Shape::Free), None);
        assert_eq!(fit([(3.0, 3.0); 12].into_iter(), Shape::Free), None);
        let circle = rim(&Ellipse::circle(50.0, 50.0, 20.0), 9);
        assert_eq!(consensus(&circle, Shape::Free, 1.0), None, "too few");
        assert_eq!(consensus(&rim(&Ellipse::circle(50.0, 50.0, 20.0), 40), Shape::Free, f64::NAN), None);
    }
}
