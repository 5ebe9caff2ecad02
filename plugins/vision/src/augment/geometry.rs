//! Where things are: mirror, turn, size, shift, and an elastic sheet (Simard, Steinkraus and Platt, ICDAR 2003, with a
//! coarse grid of displacements instead of a smoothed field: as smooth, and cheap).
//!
//! Backward: for each pixel of the result the place in the source. Beyond its edge a picture goes on mirrored, and its mask
//! with it: a turned picture has no corner that looks like no picture at all, for none has when it is judged.

use super::{Reach, chance::Chance};

/// Displacements are drawn at this many places a side, and bent between.
const GRID: usize = 5;

/// A drawn motion of a square picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Motion {
    /// Source x = `matrix[0]` x + `matrix[1]` y + `matrix[2]`, and y likewise, around the middle.
    matrix: [f64; 6],
    /// (x, y) in pixels at each node, row by row; empty for a stiff sheet.
    sheet: Vec<[f64; 2]>,
}

impl Motion {
    /// Draws one within reach; `None` where nothing may move. Always draws the same count of numbers for a reach.
    #[must_use]
    pub fn draw(side: usize, reach: &Reach, chance: &mut Chance) -> Option<Self> {
        let still =
            !reach.flip && [reach.turn_deg, reach.zoom, reach.shift, reach.elastic_px].iter().all(|it| *it == 0.0);
        if still || side == 0 {
            return None;
        }
        let mirror = if reach.flip && chance.unit() < 0.5 { -1.0 } else { 1.0 };
        let (sin, cos) = if reach.quarters {
            quarter(reach.turn_deg, chance)
        } else {
            chance.within(reach.turn_deg).to_radians().sin_cos()
        };
        let size = 1.0 + chance.within(reach.zoom);
        let (dx, dy) = (chance.within(reach.shift) * side as f64, chance.within(reach.shift) * side as f64);
        let matrix = [size * cos * mirror, size * -sin, dx, size * sin * mirror, size * cos, dy];
        let mut sheet = Vec::new();
        if reach.elastic_px > 0.0 {
            sheet.extend((0..GRID * GRID).map(|_| [chance.within(reach.elastic_px), chance.within(reach.elastic_px)]));
        }
        Some(Self { matrix, sheet })
    }

    /// Moves a picture: bilinear.
    pub fn smooth(&self, source: &[u8], side: usize, moved: &mut [u8]) {
        let last = side as f64 - 1.0;
        self.places(side, |index, x, y| {
            let (x, y) = (mirrored(x, side).clamp(0.0, last), mirrored(y, side).clamp(0.0, last));
            let (left, top) = (x as usize, y as usize);
            let (right, below) = ((left + 1).min(side - 1), (top + 1).min(side - 1));
            let (fx, fy) = ((x - left as f64) as f32, (y - top as f64) as f32);
            let at = |x: usize, y: usize| f32::from(source[y * side + x]);
            let above = at(left, top) + fx * (at(right, top) - at(left, top));
            let under = at(left, below) + fx * (at(right, below) - at(left, below));
            moved[index] = (above + fy * (under - above) + 0.5) as u8;
        });
    }

    /// Moves what cannot be mixed, classes or noise: the nearest pixel.
    pub fn nearest(&self, source: &[u8], side: usize, moved: &mut [u8]) {
        let nearest = |at: f64| ((mirrored(at, side) + 0.5) as usize).min(side - 1);
        self.places(side, |index, x, y| moved[index] = source[nearest(y) * side + nearest(x)]);
    }

    /// Every pixel's index in the result, and its place in the source.
    fn places(&self, side: usize, mut take: impl FnMut(usize, f64, f64)) {
        let middle = (side as f64 - 1.0) / 2.0;
        let [a, b, c, d, e, f] = self.matrix;
        let step = (GRID - 1) as f64 / (side as f64 - 1.0).max(1.0);
        for row in 0..side {
            let v = row as f64 - middle;
            for column in 0..side {
                let u = column as f64 - middle;
                let (mut x, mut y) = (a * u + b * v + c + middle, d * u + e * v + f + middle);
                if !self.sheet.is_empty() {
                    let [dx, dy] = self.bend(column as f64 * step, row as f64 * step);
                    (x, y) = (x + dx, y + dy);
                }
                take(row * side + column, x, y);
            }
        }
    }

    /// Between the nodes, with a slope that does not jump.
    fn bend(&self, x: f64, y: f64) -> [f64; 2] {
        let (left, top) = ((x as usize).min(GRID - 2), (y as usize).min(GRID - 2));
        let ease = |t: f64| t * t * (3.0 - 2.0 * t);
        let (fx, fy) = (ease(x - left as f64), ease(y - top as f64));
        let node = |dx: usize, dy: usize| self.sheet[(top + dy) * GRID + left + dx];
        let mix = |axis: usize| {
            let above = node(0, 0)[axis] + fx * (node(1, 0)[axis] - node(0, 0)[axis]);
            let under = node(0, 1)[axis] + fx * (node(1, 1)[axis] - node(0, 1)[axis]);
            above + fy * (under - above)
        };
        [mix(0), mix(1)]
    }
}

/// Sine and cosine of some quarters of a turn, at most that far either way.
fn quarter(turn_deg: f64, chance: &mut Chance) -> (f64, f64) {
    let most = (turn_deg / 90.0) as usize;
    let turn = chance.below((2 * most + 1).min(4));
    [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)][(turn + 4 - most % 4) % 4]
}

/// A place on a line of pixels that goes on mirrored at both ends, the last pixel twice.
fn mirrored(at: f64, side: usize) -> f64 {
    let (edge, around) = (side as f64, (at + 0.5).rem_euclid(2.0 * side as f64));
    around.min(2.0 * edge - around) - 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_its_edge_a_picture_goes_on_mirrored_and_its_mask_with_it() {
        let source: Vec<u8> = (0..5).flat_map(|_| 0..5).collect();
        let shifted = Motion { matrix: [1.0, 0.0, 3.0, 0.0, 1.0, 0.0], sheet: Vec::new() };
        let (mut smooth, mut nearest) = (vec![0; 25], vec![0; 25]);
        shifted.smooth(&source, 5, &mut smooth);
        shifted.nearest(&source, 5, &mut nearest);
        assert_eq!((&smooth[..5], &nearest[..5]), (&[3, 4, 4, 3, 2][..], &[3, 4, 4, 3, 2][..]));
        let back = [-7.0, -5.5, -0.5, 0.0, 4.5, 5.0, 9.25, 12.0].map(|at| mirrored(at, 5));
        assert_eq!(back, [3.0, 4.5, -0.5, 0.0, 4.5, 4.0, -0.25, 2.0]);
    }

    #[test]
    fn a_quarter_turn_moves_every_pixel_where_it_belongs() {
        let source: Vec<u8> = (0..25).collect();
        let quarter = Motion { matrix: [0.0, -1.0, 0.0, 1.0, 0.0, 0.0], sheet: Vec::new() };
        let (mut smooth, mut nearest) = (vec![0; 25], vec![0; 25]);
        quarter.smooth(&source, 5, &mut smooth);
        quarter.nearest(&source, 5, &mut nearest);
        let expected: Vec<u8> = (0..25).map(|index| source[(index % 5) * 5 + 4 - index / 5]).collect();
        assert_eq!((&smooth, &nearest), (&expected, &expected));
    }

    #[test]
    fn quarters_lose_no_pixel_and_come_in_every_way_that_is_allowed() {
        let source: Vec<u8> = (0..49).collect();
        for (turn_deg, ways) in [(60.0, 1), (90.0, 3), (180.0, 4)] {
            let reach = Reach { turn_deg, quarters: true, ..Reach::NONE };
            let mut seen = std::collections::BTreeSet::new();
            for seed in 0..60 {
                let mut moved = vec![0; 49];
                Motion::draw(7, &reach, &mut Chance::new(seed)).unwrap().nearest(&source, 7, &mut moved);
                let mut sorted = moved.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, source, "every pixel once");
                seen.insert(moved);
            }
            assert_eq!(seen.len(), ways, "{turn_deg} degrees");
        }
    }

    #[test]
    fn an_elastic_sheet_moves_no_pixel_further_than_it_may() {
        let reach = Reach { elastic_px: 2.5, ..Reach::NONE };
        let motion = Motion::draw(33, &reach, &mut Chance::new(4)).unwrap();
        let mut moved = 0;
        motion.places(33, |index, x, y| {
            let (dx, dy) = (x - (index % 33) as f64, y - (index / 33) as f64);
            assert!(dx.abs() <= 2.5 && dy.abs() <= 2.5, "{dx} {dy}");
            moved += usize::from(dx.hypot(dy) > 0.2);
        });
        assert!(moved > 500);
    }
}
