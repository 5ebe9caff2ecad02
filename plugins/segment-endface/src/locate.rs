//! Coarse search: where in the picture are closed rings?
//!
//! Edges of the reduced picture vote for centres along their gradients, whatever the polarity; around each centre the
//! edges that point to it are gathered by radius and fitted. Rings of cores and of claddings come out alike; which is
//! which is for `rings` to say. Works in the reduced picture's pixels and never looks at the full one.

use ferrule_vision::{
    ellipse::Ellipse,
    outline_fit::{EdgePoint, Freedom, OutlineFitter},
    reduce::SmallPicture,
};

/// A closed ring that was seen, in the reduced picture's pixels.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    pub outline: Ellipse,
    /// True where the outside is brighter.
    pub outward: bool,
    /// Share of the directions in which its edge is there.
    pub coverage: f64,
}

impl Anchor {
    /// True if the other outline is this one to within that share of its radius, in place and size.
    pub fn is_near(&self, other: &Ellipse, share: f64) -> bool {
        let (own, radius) = (self.outline.mean_radius(), other.mean_radius());
        let apart = (self.outline.cx - other.cx).hypot(self.outline.cy - other.cy);
        apart < share * own && (radius / own - 1.0).abs() < share
    }
}

/// Semi-axes' limits in the reduced picture's pixels.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub smallest: f64,
    pub largest: f64,
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    x: f32,
    y: f32,
    /// Unit vector of the gradient, toward the brighter side.
    nx: f32,
    ny: f32,
    weight: f32,
}

/// Share of the pixels that may be edges before thinning.
const EDGE_SHARE: f64 = 0.08;
/// Side of a voting cell; absorbs the spread of normals of an ellipse with an aspect of 0.92.
const CELL: f32 = 2.0;
const CENTRES: usize = 6;
/// Cosine of the largest angle between an edge's gradient and the direction to its centre (about 22 degrees).
const AIM: f32 = 0.93;
/// A ring is looked at closer from this share of its circumference's weight on.
const LEAST_FULL: f64 = 0.12;
/// More points than this add nothing to a coarse fit but time.
const FIT_POINTS: usize = 90;
const SECTORS: usize = 36;

/// Searches; keeps its buffers.
#[derive(Debug, Default)]
pub struct Locator {
    magnitude: Vec<f32>,
    sorted: Vec<f32>,
    edges: Vec<Edge>,
    votes: Vec<f32>,
    across: Vec<f32>,
    centres: Vec<(f32, f32)>,
    radial: [Vec<f32>; 2],
    points: Vec<EdgePoint>,
    sample: Vec<EdgePoint>,
    fitter: OutlineFitter,
}

impl Locator {
    /// Appends the rings of one reduced, smoothed picture, in that picture's pixels.
    pub fn rings(&mut self, picture: &SmallPicture, sizes: Sizes, found: &mut Vec<Anchor>) {
        if picture.width < 16 || picture.height < 16 {
            return;
        }
        self.find_edges(picture);
        self.vote(picture, sizes);
        let known = found.len();
        for i in 0..self.centres.len() {
            self.rings_around(self.centres[i], sizes, found, known);
        }
    }

    /// Thinned edges with their normals.
    fn find_edges(&mut self, picture: &SmallPicture) {
        let (width, height) = (picture.width, picture.height);
        self.magnitude.clear();
        self.magnitude.resize(width * height, 0.0);
        for y in 1..height - 1 {
            let row = |y: usize| &picture.samples[y * width..(y + 1) * width];
            let (above, here, below) = (row(y - 1), row(y), row(y + 1));
            let out = &mut self.magnitude[y * width + 1..(y + 1) * width - 1];
            for (x, out) in out.iter_mut().enumerate() {
                let (gx, gy) = (here[x + 2] - here[x], below[x + 1] - above[x + 1]);
                *out = (gx * gx + gy * gy).sqrt();
            }
        }
        self.sorted.clear();
        self.sorted.extend(self.magnitude.iter().step_by(5));
        let at = ((self.sorted.len() as f64 * (1.0 - EDGE_SHARE)) as usize).min(self.sorted.len() - 1);
        // Below a quarter of a gray level a pixel there are no edges, only rounding.
        let threshold = self.sorted.select_nth_unstable_by(at, f32::total_cmp).1.max(0.25);
        self.edges.clear();
        for y in 2..height - 2 {
            for x in 2..width - 2 {
                let i = y * width + x;
                let m = self.magnitude[i];
                if m < threshold {
                    continue;
                }
                let gx = picture.samples[i + 1] - picture.samples[i - 1];
                let gy = picture.samples[i + width] - picture.samples[i - width];
                let step = if gx.abs() > 2.0 * gy.abs() {
                    1
                } else if gy.abs() > 2.0 * gx.abs() {
                    width
                } else if (gx > 0.0) == (gy > 0.0) {
                    width + 1
                } else {
                    width - 1
                };
                if m >= self.magnitude[i - step] && m > self.magnitude[i + step] {
                    // Twice the threshold is as good as it gets: dirt must not outvote glass.
                    let weight = (m / (2.0 * threshold)).min(1.0);
                    self.edges.push(Edge { x: x as f32, y: y as f32, nx: gx / m, ny: gy / m, weight });
                }
            }
        }
    }

    /// Lets every edge vote along its normal, and keeps the strongest separate centres.
    fn vote(&mut self, picture: &SmallPicture, sizes: Sizes) {
        let (columns, rows) = ((picture.width as f32 / CELL) as usize + 1, (picture.height as f32 / CELL) as usize + 1);
        self.votes.clear();
        self.votes.resize(columns * rows, 0.0);
        let steps = ((sizes.largest - sizes.smallest) as f32 / CELL).max(1.0) as usize;
        for edge in &self.edges {
            for side in [-1.0f32, 1.0] {
                let (dx, dy) = (side * edge.nx, side * edge.ny);
                let start = sizes.smallest as f32;
                // In 1 / 65536 of a cell: a step is then two additions, and what lies outside is a large number.
                let fixed = |v: f32| (v * 65_536.0) as i32;
                let (mut x, mut y) = (fixed((edge.x + dx * start) / CELL), fixed((edge.y + dy * start) / CELL));
                let (dx, dy) = (fixed(dx), fixed(dy));
                for _ in 0..=steps {
                    let (column, row) = ((x >> 16) as u32 as usize, (y >> 16) as u32 as usize);
                    if column >= columns || row >= rows {
                        break;
                    }
                    self.votes[row * columns + column] += edge.weight;
                    x += dx;
                    y += dy;
                }
            }
        }
        // Two passes of a 3 x 3 mean, but for its factor.
        for _ in 0..2 {
            box_blur(&mut self.votes, columns, &mut self.across);
        }
        self.centres.clear();
        let apart = (0.5 * sizes.smallest as f32 / CELL).max(4.0);
        for _ in 0..CENTRES {
            let Some(at) = strongest(&self.votes) else { return };
            let (cx, cy) = (at % columns, at / columns);
            self.centres.push(((cx as f32 + 0.5) * CELL, (cy as f32 + 0.5) * CELL));
            let reach = apart as usize;
            for y in cy.saturating_sub(reach)..(cy + reach + 1).min(rows) {
                self.votes[y * columns + cx.saturating_sub(reach)..y * columns + (cx + reach + 1).min(columns)]
                    .fill(0.0);
            }
        }
    }

    /// The two best rings around a centre; those from `known` on were found in this picture before.
    fn rings_around(&mut self, (cx, cy): (f32, f32), sizes: Sizes, found: &mut Vec<Anchor>, known: usize) {
        let bins = sizes.largest as usize + 2;
        for radial in &mut self.radial {
            radial.clear();
            radial.resize(bins, 0.0);
        }
        for edge in &self.edges {
            let (dx, dy) = (edge.x - cx, edge.y - cy);
            // Most edges point elsewhere, which squares tell without a root.
            let (square, aim) = (dx * dx + dy * dy, dx * edge.nx + dy * edge.ny);
            if aim * aim < AIM * AIM * square {
                continue;
            }
            let r = square.sqrt() as usize;
            if r < bins {
                self.radial[usize::from(aim > 0.0)][r] += edge.weight;
            }
        }
        let mut taken: Option<(usize, f64)> = None;
        for _ in 0..2 {
            let mut best = (0.0f64, 0, 0.0f64);
            for (polarity, radial) in self.radial.iter().enumerate() {
                for r in sizes.smallest as usize..bins {
                    let radius: f64 = r as f64 + 0.5;
                    let near = taken.is_some_and(|(p, old)| p == polarity && (radius / old - 1.0).abs() < 0.2);
                    let reach = (0.08 * radius).max(1.5) as usize;
                    let window = &radial[r.saturating_sub(reach)..(r + reach + 1).min(bins)];
                    let full = window.iter().map(|&v| f64::from(v)).sum::<f64>() / (std::f64::consts::TAU * radius);
                    let score = full.min(1.0) * radius.sqrt();
                    if !near && score > best.0 {
                        best = (score, polarity, radius);
                    }
                }
            }
            if best.0 <= LEAST_FULL * best.2.sqrt() {
                return;
            }
            taken = Some((best.1, best.2));
            let start = Ellipse::circle(f64::from(cx), f64::from(cy), best.2);
            let outward = best.1 == 1;
            let again = found[known..].iter().any(|a| a.outward == outward && a.is_near(&start, 0.15));
            if !again {
                found.extend(self.fit(&start, outward, sizes));
            }
        }
    }

    /// Fits the edges near a circle, then those near the fit.
    fn fit(&mut self, start: &Ellipse, outward: bool, sizes: Sizes) -> Option<Anchor> {
        let mut outline = *start;
        for reach in [0.16f64, 0.08] {
            self.points.clear();
            let gauge = outline.gauge();
            let (cx, cy) = (outline.cx as f32, outline.cy as f32);
            let reach = reach.max(2.0 / outline.mean_radius());
            let near = (1.0 - reach).max(0.0).powi(2)..(1.0 + reach).powi(2);
            for edge in &self.edges {
                let (dx, dy) = (edge.x - cx, edge.y - cy);
                let aim = dx * edge.nx + dy * edge.ny;
                if (aim > 0.0) != outward || aim * aim < AIM * AIM * (dx * dx + dy * dy) {
                    continue;
                }
                let (x, y) = (f64::from(edge.x), f64::from(edge.y));
                if near.contains(&gauge.square_at(x, y)) {
                    self.points.push(EdgePoint { x, y, weight: f64::from(edge.weight) });
                }
            }
            self.sample.clear();
            self.sample.extend(self.points.iter().step_by(self.points.len().div_ceil(FIT_POINTS).max(1)));
            let fit = self.fitter.fit(&self.sample, &outline, Freedom::Shape, 0.3)?;
            outline = fit.outline;
            let radius = outline.mean_radius();
            let aspect = outline.ax / outline.by;
            if !(0.7..1.4).contains(&aspect) || radius < 0.8 * sizes.smallest || radius > 1.1 * sizes.largest {
                return None;
            }
        }
        let tolerance = (1.0 / outline.mean_radius()).max(0.03);
        let mut seen = [false; SECTORS];
        let gauge = outline.gauge();
        for point in &self.points {
            if (gauge.radius_at(point.x, point.y) - 1.0).abs() < tolerance {
                let angle = (point.y - outline.cy).atan2(point.x - outline.cx);
                let sector = (angle / std::f64::consts::TAU + 0.5) * SECTORS as f64;
                seen[(sector as usize).min(SECTORS - 1)] = true;
            }
        }
        let coverage = seen.iter().filter(|&&s| s).count() as f64 / SECTORS as f64;
        Some(Anchor { outline, outward, coverage })
    }
}

/// Where the most votes are, if there are any.
fn strongest(votes: &[f32]) -> Option<usize> {
    // Of numbers that are not negative the bits have their order, and whole numbers are compared side by side.
    let bits = |votes: &f32| votes.to_bits() as i32;
    let most = votes.iter().map(bits).fold(0, i32::max);
    votes.iter().rposition(|votes| bits(votes) == most).filter(|_| most > 0)
}

/// Sums over 3 x 3 cells; none at the border.
fn box_blur(cells: &mut [f32], columns: usize, across: &mut Vec<f32>) {
    across.clear();
    across.resize(cells.len(), 0.0);
    let inner = cells.len().saturating_sub(2);
    if columns < 3 || inner == 0 {
        cells.fill(0.0);
        return;
    }
    for (sum, ((left, here), right)) in across[1..].iter_mut().zip(cells.iter().zip(&cells[1..]).zip(&cells[2..])) {
        *sum = left + here + right;
    }
    let last = cells.len() / columns - 1;
    for (y, row) in cells.chunks_exact_mut(columns).enumerate() {
        if y == 0 || y >= last {
            row.fill(0.0);
            continue;
        }
        let [above, here, below] = [y - 1, y, y + 1].map(|y| &across[y * columns..][..columns]);
        for (out, ((a, b), c)) in row.iter_mut().zip(above.iter().zip(here).zip(below)) {
            *out = a + b + c;
        }
        row[0] = 0.0;
        row[columns - 1] = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_blur_is_the_sum_of_nine(votes in proptest::collection::vec(0.0..9.0f32, 1..200), columns in 1..15usize) {
            let rows = votes.len() / columns;
            let votes = &votes[..rows * columns];
            let mut blurred = votes.to_vec();
            box_blur(&mut blurred, columns, &mut Vec::new());
            for (i, found) in blurred.iter().enumerate() {
                let (x, y) = (i % columns, i / columns);
                let within = x > 0 && y > 0 && x + 1 < columns && y + 1 < rows;
                let row = |i: usize| votes[i - 1] + votes[i] + votes[i + 1];
                prop_assert_eq!(*found, if within { row(i - columns) + row(i) + row(i + columns) } else { 0.0 });
            }
        }
    }

    #[test]
    fn the_last_of_the_strongest_is_taken_and_nothing_of_nothing() {
        assert_eq!(strongest(&[0.0, 3.5, 1.0, 3.5, 2.0]), Some(3));
        assert_eq!((strongest(&[0.0; 5]), strongest(&[])), (None, None));
    }
}
