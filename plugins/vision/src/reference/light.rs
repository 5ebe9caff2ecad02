//! The light of a capture against a model's: for each part of the end face an offset, a gain and a smooth field, fitted so
//! that dirt does not count (iteratively reweighted least squares with Tukey's biweight).

use super::{Layout, Model, Part, UNIT, UNKNOWN, cells_off_outline, median, radius_of};
use crate::cholesky;

/// Offset, gain, two slopes, three curvatures.
const TERMS: usize = 7;
/// The model's variation of one gray level, in the unit of the gain's term.
const GRAY: f64 = UNIT as f64;
/// The gain is left alone unless the model varies by more than so many gray levels within the part.
const FLAT_GRAY: f64 = 3.0;
/// Cells that decide; more say the same again.
const ENOUGH: usize = 6000;
/// Cells below which a part has no field, below which no slope, and below which it is lit as the part around it.
const FOR_FIELD: usize = 600;
const FOR_SLOPE: usize = 150;
const FOR_OFFSET: usize = 5;
/// Cells that outlines keep clear: a misfit there is no light.
const CLEAR: f64 = 2.5;
const ROUNDS: usize = 8;
/// End of the biweight in standard deviations, and the least deviation in gray levels.
const BIWEIGHT: f64 = 4.7;
const LEAST_GRAY: f64 = 0.3;

/// What a part's capture has more than the model, as a function of place and model.
#[derive(Debug, Clone, Copy, Default)]
struct Field {
    middle: f64,
    weights: [f64; TERMS],
}

impl Field {
    fn terms(middle: f64, model: f64, (u, v): (f64, f64)) -> [f64; TERMS] {
        [1.0, (model - middle) / (10.0 * GRAY), u, v, u * u, u * v, v * v]
    }

    fn at(&self, model: f64, place: (f64, f64)) -> f64 {
        Self::terms(self.middle, model, place).iter().zip(&self.weights).map(|(term, weight)| term * weight).sum()
    }
}

/// Replaces an aligned capture by what it would be in the model's light. Cells unknown to either become [`UNKNOWN`].
pub fn relight(aligned: &mut [i16], target: &[i16], layout: Layout, core_ratio: Option<f64>) {
    let mut cells: [Vec<(usize, f64)>; 3] = Default::default();
    for (index, ((value, target), place)) in aligned.iter().zip(target).zip(layout.places()).enumerate() {
        let radius = radius_of(place);
        if *value != UNKNOWN && *target != UNKNOWN && cells_off_outline(layout, core_ratio, radius) > CLEAR {
            cells[Part::at(radius, core_ratio) as usize].push((index, f64::from(*value) - f64::from(*target)));
        }
    }
    let fields = cells.map(|cells| fit(cells, target, layout));
    // A core of a few cells shares the cladding's light, a cladding that cannot be seen its surroundings'.
    let [core, cladding, around] = fields;
    let cladding = cladding.or(around).unwrap_or_default();
    let [core, around] = [core.unwrap_or(cladding), around.unwrap_or(cladding)];
    for ((value, target), place) in aligned.iter_mut().zip(target).zip(layout.places()) {
        if *value == UNKNOWN || *target == UNKNOWN {
            *value = UNKNOWN;
            continue;
        }
        let field = match Part::at(radius_of(place), core_ratio) {
            Part::Core => &core,
            Part::Cladding => &cladding,
            Part::Around => &around,
        };
        let lit = f64::from(*value) - field.at(f64::from(*target), place);
        *value = lit.round().clamp(f64::from(UNKNOWN + 1), f64::from(i16::MAX)) as i16;
    }
}

/// Fits what some cells of a part have more than the target, by place in the grid; `None` with too few.
fn fit(cells: Vec<(usize, f64)>, target: &[i16], layout: Layout) -> Option<Field> {
    let found = cells.len();
    if found < FOR_OFFSET {
        return None;
    }
    // Every n-th in a row-major order would be stripes where n divides the side; an odd step wanders.
    let step = (found / ENOUGH) | 1;
    let cells: Vec<(usize, f64)> = cells.into_iter().step_by(step).collect();
    let middle = cells.iter().map(|(index, _)| f64::from(target[*index])).sum::<f64>() / cells.len() as f64;
    let terms = match found {
        FOR_FIELD.. => TERMS,
        FOR_SLOPE.. => 4,
        _ => 1,
    };
    let mut offsets: Vec<f32> = cells.iter().map(|(_, off)| *off as f32).collect();
    let mut field = Field { middle, ..Field::default() };
    field.weights[0] = f64::from(median(&mut offsets));
    let mut rests: Vec<f32> = Vec::with_capacity(cells.len());
    let rest =
        |field: &Field, (index, off): &(usize, f64)| off - field.at(f64::from(target[*index]), layout.place(*index));
    for _ in 0..if terms == 1 { 0 } else { ROUNDS } {
        rests.clear();
        rests.extend(cells.iter().map(|cell| rest(&field, cell).abs() as f32));
        let end = BIWEIGHT * (1.482_6 * f64::from(median(&mut rests))).max(LEAST_GRAY * GRAY);
        let mut system = System::default();
        for cell in &cells {
            let share = (rest(&field, cell) / end).powi(2);
            if share < 1.0 {
                let place = layout.place(cell.0);
                system.add(&Field::terms(middle, f64::from(target[cell.0]), place), cell.1, (1.0 - share).powi(2));
            }
        }
        let Some(weights) = system.solve(terms) else { break };
        field.weights = weights;
    }
    Some(field)
}

/// Normal equations; of the matrix the lower triangle.
#[derive(Default)]
struct System {
    matrix: [[f64; TERMS]; TERMS],
    right: [f64; TERMS],
}

impl System {
    fn add(&mut self, terms: &[f64; TERMS], value: f64, weight: f64) {
        for i in 0..TERMS {
            self.right[i] += weight * terms[i] * value;
            for j in 0..=i {
                self.matrix[i][j] += weight * terms[i] * terms[j];
            }
        }
    }

    /// The leading `n` unknowns. A small ridge settles directions that the cells leave open, a larger one keeps the gain
    /// from explaining noise where the model is flat.
    fn solve(self, n: usize) -> Option<[f64; TERMS]> {
        let Self { mut matrix, right } = self;
        let (weight, flat) = (matrix[0][0], (FLAT_GRAY / 10.0).powi(2));
        for (i, row) in matrix.iter_mut().enumerate() {
            row[i] += weight * if i == 1 { 0.1 * flat } else { 1e-6 };
        }
        cholesky::solve(matrix, right, n)
    }
}

impl Model {
    /// Replaces an aligned capture by what it would be in the model's light.
    pub fn relight(&self, aligned: &mut [i16]) {
        relight(aligned, &self.median, self.layout, self.core_ratio);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn another_light_is_taken_away_and_dirt_stays(
            offset in -40.0..40.0f64, slope in -10.0..10.0f64, bend in -6.0..6.0f64, gain in 0.8..1.2f64,
        ) {
            let (layout, core) = (Layout { cells: 40 }, Some(0.4));
            let cells = layout.side() * layout.side();
            let ring = |radius: f64| if radius < 0.4 { 150.0 } else if radius < 1.0 { 80.0 } else { 170.0 };
            let target: Vec<i16> = (0..cells).map(|i| {
                let (u, v) = layout.place(i);
                ((ring(u.hypot(v)) + 8.0 * u) * GRAY) as i16
            }).collect();
            let dirty = |i: usize| { let (u, v) = layout.place(i); (u - 0.7).hypot(v) < 0.15 };
            let mut aligned: Vec<i16> = target.iter().enumerate().map(|(i, target)| {
                let (u, v) = layout.place(i);
                let lit = gain * f64::from(*target) / GRAY + offset + slope * u + bend * v * v;
                ((lit + if dirty(i) { 20.0 } else { 0.0 }) * GRAY) as i16
            }).collect();
            relight(&mut aligned, &target, layout, core);
            for (i, (value, target)) in aligned.iter().zip(&target).enumerate() {
                let off = (f64::from(*value) - f64::from(*target)) / GRAY;
                let wanted = if dirty(i) { 20.0 } else { 0.0 };
                prop_assert!((off - wanted).abs() < 1.0, "{off} at {:?}", layout.place(i));
            }
        }
    }
}
