//! What a component looks like: box, centroid, second moments, and from them length, width and direction.
//!
//! Works on runs and never looks at pixels. Called by the detectors and by whoever merges their answers.

/// `length` pixels of a mask in row `y`, from column `x` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    pub y: u32,
    pub x: u32,
    pub length: u32,
}

impl Run {
    /// The column after the last one.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.x + self.length
    }
}

/// Geometry of a set of pixels. Lengths and widths are those of the rectangle with the same second moments, which for a
/// filled thin rectangle is the rectangle itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    pub area: u32,
    /// Left, top, width, height.
    pub bbox: [u32; 4],
    pub x: f64,
    pub y: f64,
    pub length: f64,
    pub width: f64,
    /// Direction of the length, from +x toward +y, in (-90, 90].
    pub angle_deg: f64,
}

impl Shape {
    /// The shape of some runs; `None` without any.
    #[must_use]
    pub fn of(runs: &[Run]) -> Option<Self> {
        let first = runs.first()?;
        // Moments about the first run, so that nothing cancels far from the origin.
        let (ox, oy) = (f64::from(first.x), f64::from(first.y));
        let (mut n, mut sx, mut sy, mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        let (mut left, mut right, mut top, mut bottom) = (u32::MAX, 0, u32::MAX, 0);
        for run in runs {
            let length = f64::from(run.length);
            let (mid, dy) = (f64::from(run.x) - ox + (length - 1.0) / 2.0, f64::from(run.y) - oy);
            n += length;
            sx += length * mid;
            sy += length * dy;
            // The sum of squares about the middle of consecutive integers is n (n² - 1) / 12.
            sxx += length * mid * mid + length * (length * length - 1.0) / 12.0;
            sxy += length * mid * dy;
            syy += length * dy * dy;
            (left, right) = (left.min(run.x), right.max(run.end()));
            (top, bottom) = (top.min(run.y), bottom.max(run.y + 1));
        }
        let (mx, my) = (sx / n, sy / n);
        // A pixel is a unit square, not a point: its own moment is 1 / 12.
        let a = sxx / n - mx * mx + 1.0 / 12.0;
        let b = sxy / n - mx * my;
        let c = syy / n - my * my + 1.0 / 12.0;
        let (half, spread) = ((a + c) / 2.0, ((a - c) / 2.0).hypot(b));
        let angle = 0.5 * (2.0 * b).atan2(a - c).to_degrees();
        Some(Self {
            area: n as u32,
            bbox: [left, top, right - left, bottom - top],
            x: ox + mx,
            y: oy + my,
            length: (12.0 * (half + spread)).sqrt(),
            width: (12.0 * (half - spread).max(1.0 / 12.0)).sqrt(),
            angle_deg: if angle <= -90.0 { angle + 180.0 } else { angle },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rectangle(x: u32, y: u32, width: u32, height: u32) -> Vec<Run> {
        (y..y + height).map(|y| Run { y, x, length: width }).collect()
    }

    proptest! {
        #[test]
        fn a_rectangle_measures_itself(x in 0..4000u32, y in 0..4000u32, w in 2..200u32, h in 1..200u32) {
            prop_assume!(w != h);
            let shape = Shape::of(&rectangle(x, y, w, h)).unwrap();
            prop_assert_eq!(shape.bbox, [x, y, w, h]);
            prop_assert_eq!(shape.area, w * h);
            prop_assert!((shape.x - f64::from(x) - f64::from(w - 1) / 2.0).abs() < 1e-9);
            prop_assert!((shape.length - f64::from(w.max(h))).abs() < 1e-6);
            prop_assert!((shape.width - f64::from(w.min(h))).abs() < 1e-6);
            let direction = if w > h { 0.0 } else { 90.0 };
            prop_assert!((shape.angle_deg.abs() - direction).abs() < 1e-6);
        }

        #[test]
        fn a_slanted_line_has_its_direction(angle in -89.0..90.0f64) {
            let (sin, cos) = angle.to_radians().sin_cos();
            let holds = |x: u32, y: u32| {
                let (dx, dy) = (f64::from(x) - 200.0, f64::from(y) - 200.0);
                (dx * cos + dy * sin).abs() <= 100.0 && (dx * sin - dy * cos).abs() <= 2.5
            };
            let pixels = (0..400).flat_map(|y| (0..400).map(move |x| (x, y))).filter(|(x, y)| holds(*x, *y));
            let runs: Vec<Run> = pixels.map(|(x, y)| Run { y, x, length: 1 }).collect();
            let shape = Shape::of(&runs).unwrap();
            let off = (shape.angle_deg - angle).abs();
            prop_assert!(off.min(180.0 - off) < 1.0, "{} for {angle}", shape.angle_deg);
            prop_assert!((shape.length - 200.0).abs() < 3.5 && (shape.width - 5.0).abs() < 0.5);
        }
    }

    #[test]
    fn no_pixels_have_no_shape() {
        assert_eq!(Shape::of(&[]), None);
    }
}
