//! From linked pieces to a scratch as it is reported: course, length, width, mask, severity, confidence.
//!
//! A scratch's mask is a band along its ridge, as wide as its profile at half height; gaps between pieces stay open.
//! Confidence is one half at the threshold and rises with strength and length.

use ferrule_abi::{Attribute, BoundingBox, Defect, DefectKind, Severity, Value};
use ferrule_vision::{
    components::runs_of,
    flatten::UNIT,
    severity::{self, Place as Zone},
    shape::{Run, Shape},
};

use crate::{
    pieces::{Piece, Place},
    settings::Settings,
};

/// Pixels of the half-size map that one knot of a scratch's course stands for.
const KNOT: f32 = 3.0;
/// Profile samples to each side, in half-size pixels.
const PROFILE: usize = 5;

/// What a scratch is measured on.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// Size of the picture.
    pub width: usize,
    pub height: usize,
    pub labels: &'a [u8],
    /// Flattened picture at half size.
    pub residual: &'a [i16],
    pub um_per_px: f64,
}

/// Buffers of [`report`].
#[derive(Debug, Clone, Default)]
pub struct Canvas {
    mask: Vec<u8>,
    runs: Vec<Run>,
}

/// The scratch made of these pieces, if it is long and strong enough.
pub fn report(group: &[Piece], ground: &Ground<'_>, settings: &Settings, canvas: &mut Canvas) -> Option<Defect> {
    let courses: Vec<Vec<(f32, f32)>> = group.iter().map(course).collect();
    let lit: f32 = courses.iter().map(|c| path_length(c)).sum::<f32>() * 2.0;
    let whole = Piece::of(group.iter().flat_map(|p| p.places.iter().copied()).collect())?;
    let extent = if group.len() > 1 { lit.max(2.0 * (whole.to - whole.from)) } else { lit } + 2.0;
    if extent < settings.min_length {
        return None;
    }
    let (contrast, fwhm) = profile(&whole.places, ground);
    if contrast.abs() < settings.min_contrast {
        return None;
    }
    let peak = whole.places.iter().map(|p| p.score).fold(0.0, f32::max);
    let mean = whole.places.iter().map(|p| p.score).sum::<f32>() / whole.places.len() as f32;
    let width = (2.0 * fwhm).max(1.0);
    let shape = canvas.draw(&courses, (width / 2.0).max(1.2), ground)?;
    let place = canvas.worst_place(ground);
    let level = severity::level(f64::from(width) * ground.um_per_px, f64::from(peak), place);
    let over =
        f64::from(peak / settings.high - 1.0).max(0.0) + 0.3 * f64::from(extent / settings.min_length - 1.0).min(4.0);
    let [x, y, w, h] = shape.bbox;
    Some(Defect {
        kind: DefectKind::Scratch,
        severity: Severity::ALL[level],
        confidence: 1.0 - 0.5 * (-1.2 * over).exp(),
        bbox: BoundingBox { x, y, width: w, height: h },
        x: shape.x,
        y: shape.y,
        area_px: shape.area,
        length_px: f64::from(extent),
        width_px: f64::from(width),
        angle_deg: shape.angle_deg,
        mask: canvas.runs.iter().map(|r| ferrule_abi::Run { y: r.y, x: r.x, length: r.length }).collect(),
        attributes: vec![
            Attribute { name: "contrast_sigma".into(), value: Value::Real(f64::from(peak)) },
            Attribute { name: "mean_sigma".into(), value: Value::Real(f64::from(mean)) },
            Attribute { name: "contrast_gray".into(), value: Value::Real(f64::from(contrast.abs())) },
            Attribute {
                name: "polarity".into(),
                value: Value::Text(if contrast < 0.0 { "dark" } else { "bright" }.into()),
            },
            Attribute { name: "pieces".into(), value: Value::Integer(group.len() as i64) },
        ]
        .into(),
    })
}

/// The piece's course: mean positions of its places in steps along it.
fn course(piece: &Piece) -> Vec<(f32, f32)> {
    let steps = ((piece.to - piece.from) / KNOT).ceil().max(1.0) as usize;
    let mut knots = vec![(0.0, 0.0, 0.0); steps + 1];
    for p in &piece.places {
        let t = (p.x - piece.x) * piece.along.0 + (p.y - piece.y) * piece.along.1;
        let knot = &mut knots[((t - piece.from) / KNOT + 0.5) as usize];
        *knot = (knot.0 + p.x, knot.1 + p.y, knot.2 + 1.0);
    }
    knots.into_iter().filter(|k| k.2 > 0.0).map(|(x, y, n)| (x / n, y / n)).collect()
}

fn path_length(course: &[(f32, f32)]) -> f32 {
    course.windows(2).map(|w| (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1)).sum()
}

/// Mean contrast in gray levels (negative: dark) and width at half height in half-size pixels, across all places.
fn profile(places: &[Place], ground: &Ground<'_>) -> (f32, f32) {
    let half = ground.width.div_ceil(2);
    let rows = ground.residual.len() / half;
    let mut sums = [(0.0f32, 0.0f32); 2 * PROFILE + 1];
    for p in places {
        let (nx, ny) = (-p.angle.sin(), p.angle.cos());
        for (k, sum) in sums.iter_mut().enumerate() {
            let off = k as f32 - PROFILE as f32;
            let (x, y) = ((p.x + off * nx).round(), (p.y + off * ny).round());
            if x >= 0.0 && y >= 0.0 && (x as usize) < half && (y as usize) < rows {
                sum.0 += f32::from(ground.residual[y as usize * half + x as usize]);
                sum.1 += 1.0;
            }
        }
    }
    let value = |k: usize| sums[k].0 / sums[k].1.max(1.0);
    let base = (value(0) + value(1) + value(2 * PROFILE - 1) + value(2 * PROFILE)) / 4.0;
    let middle = PROFILE;
    let top =
        (middle - 1..=middle + 1).map(|k| value(k) - base).max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
    let reach = |step: isize| {
        let mut before = 1.0;
        for n in 1..=PROFILE as isize {
            let share = if top == 0.0 { 0.0 } else { (value((middle as isize + step * n) as usize) - base) / top };
            if share < 0.5 {
                return n as f32 - 1.0 + ((before - 0.5) / (before - share)).clamp(0.0, 1.0);
            }
            before = share;
        }
        PROFILE as f32
    };
    let fwhm = reach(1) + reach(-1);
    // A half-size pixel and the ridge's jitter widen a thin line to about one and a half of them.
    (top / f32::from(UNIT), (fwhm * fwhm - 1.4 * 1.4).max(0.25).sqrt())
}

impl Canvas {
    /// Draws bands of that half width along the courses and measures them; leaves the runs.
    fn draw(&mut self, courses: &[Vec<(f32, f32)>], half_width: f32, ground: &Ground<'_>) -> Option<Shape> {
        // A half-size pixel's centre lies between the four it covers.
        let full = |(x, y): (f32, f32)| (2.0 * x + 0.5, 2.0 * y + 0.5);
        let knots = || courses.iter().flatten().map(|k| full(*k));
        let low = knots().fold((f32::MAX, f32::MAX), |a, k| (a.0.min(k.0), a.1.min(k.1)));
        let high = knots().fold((f32::MIN, f32::MIN), |a, k| (a.0.max(k.0), a.1.max(k.1)));
        let left = (low.0 - half_width - 1.0).max(0.0) as usize;
        let top = (low.1 - half_width - 1.0).max(0.0) as usize;
        let right = ((high.0 + half_width + 2.0).max(0.0) as usize).min(ground.width);
        let bottom = ((high.1 + half_width + 2.0).max(0.0) as usize).min(ground.height);
        if left >= right || top >= bottom {
            return None;
        }
        let wide = right - left;
        self.mask.clear();
        self.mask.resize(wide * (bottom - top), 0);
        for course in courses {
            let mut previous = None;
            for knot in course {
                let here = full(*knot);
                self.band(previous.unwrap_or(here), here, half_width, (left, top), wide);
                previous = Some(here);
            }
        }
        for (y, row) in self.mask.chunks_exact_mut(wide).enumerate() {
            let labels = &ground.labels[(y + top) * ground.width + left..][..wide];
            row.iter_mut().zip(labels).filter(|(_, label)| **label == 0).for_each(|(m, _)| *m = 0);
        }
        runs_of(&self.mask, wide, &mut self.runs);
        self.runs.iter_mut().for_each(|r| (r.x, r.y) = (r.x + left as u32, r.y + top as u32));
        Shape::of(&self.runs)
    }

    /// Sets the pixels within `reach` of a segment.
    fn band(&mut self, a: (f32, f32), b: (f32, f32), reach: f32, origin: (usize, usize), wide: usize) {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let square = (dx * dx + dy * dy).max(1e-6);
        let rows = self.mask.len() / wide;
        let top = ((a.1.min(b.1) - reach).floor() - origin.1 as f32).max(0.0) as usize;
        let bottom = (((a.1.max(b.1) + reach).ceil() - origin.1 as f32).max(0.0) as usize + 1).min(rows);
        let left = ((a.0.min(b.0) - reach).floor() - origin.0 as f32).max(0.0) as usize;
        let right = (((a.0.max(b.0) + reach).ceil() - origin.0 as f32).max(0.0) as usize + 1).min(wide);
        for y in top..bottom {
            for x in left..right {
                let (px, py) = ((x + origin.0) as f32 - a.0, (y + origin.1) as f32 - a.1);
                let t = ((px * dx + py * dy) / square).clamp(0.0, 1.0);
                if (px - t * dx).hypot(py - t * dy) <= reach {
                    self.mask[y * wide + x] = 1;
                }
            }
        }
    }

    /// The innermost zone that the scratch touches.
    fn worst_place(&self, ground: &Ground<'_>) -> Zone {
        let labels = self.runs.iter().flat_map(|r| {
            let start = r.y as usize * ground.width;
            &ground.labels[start + r.x as usize..start + r.end() as usize]
        });
        labels.map(|label| Zone::of_label(*label)).max().unwrap_or(Zone::Ferrule)
    }
}
