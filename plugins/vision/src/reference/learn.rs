//! From aligned captures to a model: median and spread a cell in one common light, captures that are unlike the rest left
//! out. The order of the captures does not matter.

use super::{Layout, Model, Part, UNIT, UNKNOWN, deviation, light::relight, median};

/// Fewest captures that a model is learnt from: below it a median absolute deviation says little.
pub const FEWEST: usize = 8;
/// Most captures; more say the same again and cost memory.
pub const MOST: usize = 128;

/// Rounds of lighting every capture like the median of all.
const ROUNDS: usize = 2;
/// A cell of a capture is off when it exceeds so many standard deviations and so many gray levels.
const OFF_SIGMA: f32 = 6.0;
const OFF_GRAY: f32 = 6.0;
/// A capture is unlike the rest when so large a share of its cells is off, and so many times the usual share.
const UNLIKE_SHARE: f32 = 0.04;
const UNLIKE_TIMES: f32 = 4.0;
/// Least spread in gray levels: quantisation, smoothed.
const LEAST_GRAY: f32 = 0.25;
/// Of its ring's usual spread a cell has at least this share: few captures may agree by chance.
const OF_RING: f32 = 0.8;

/// A model, and which captures (by place in the list) were unlike the rest, each with its share of cells that are off.
#[derive(Debug, Clone)]
pub struct Learnt {
    pub model: Model,
    pub unlike: Vec<(usize, f32)>,
}

/// Learns from aligned captures, all of `layout`'s size.
///
/// # Errors
/// Fewer than [`FEWEST`] captures, or fewer left once those unlike the rest are out: how many.
pub fn learn(aligned: &[Vec<i16>], layout: Layout, core_ratio: Option<f64>) -> Result<Learnt, usize> {
    let all: Vec<usize> = (0..aligned.len()).collect();
    let (model, shares) = from_these(aligned, &all, layout, core_ratio).ok_or(all.len())?;
    let mut sorted = shares.clone();
    let usual = median(&mut sorted);
    let is_unlike = |share: f32| share > UNLIKE_SHARE.max(UNLIKE_TIMES * usual);
    let unlike: Vec<(usize, f32)> = shares.into_iter().enumerate().filter(|(_, share)| is_unlike(*share)).collect();
    if unlike.is_empty() {
        return Ok(Learnt { model, unlike });
    }
    let kept: Vec<usize> = all.into_iter().filter(|i| unlike.iter().all(|(out, _)| out != i)).collect();
    match from_these(aligned, &kept, layout, core_ratio) {
        Some((model, _)) => Ok(Learnt { model, unlike }),
        None => Err(kept.len()),
    }
}

/// The model of some captures, and what share of each one's cells is off it.
fn from_these(
    aligned: &[Vec<i16>],
    these: &[usize],
    layout: Layout,
    core_ratio: Option<f64>,
) -> Option<(Model, Vec<f32>)> {
    if these.len() < FEWEST {
        return None;
    }
    let mut target = first_guess(aligned, these, layout, core_ratio);
    let mut lit: Vec<Vec<i16>> = Vec::new();
    let mut column = Vec::with_capacity(these.len());
    for _ in 0..ROUNDS {
        lit = these.iter().map(|i| aligned[*i].clone()).collect();
        lit.iter_mut().for_each(|capture| relight(capture, &target, layout, core_ratio));
        target = (0..target.len()).map(|cell| middle_of(&lit, cell, &mut column)).collect();
    }
    // The deviation of a few samples about their own median is too small by about this factor.
    let few = these.len() as f32 / (these.len() as f32 - 0.8);
    let raw: Vec<f32> = target
        .iter()
        .enumerate()
        .map(|(cell, middle)| {
            gather(&lit, cell, &mut column);
            if *middle == UNKNOWN { 0.0 } else { few * deviation(&mut column, f32::from(*middle)) }
        })
        .collect();
    let spread = pooled(&raw, &target, layout);
    let shares = lit.iter().map(|capture| share_off(capture, &target, &spread)).collect();
    let captures = these.len() as u32;
    Some((Model { layout, core_ratio, captures, median: target, spread }, shares))
}

/// Medians of the captures, each about its parts' own levels, so that no capture's light counts.
fn first_guess(aligned: &[Vec<i16>], these: &[usize], layout: Layout, core_ratio: Option<f64>) -> Vec<i16> {
    let cells = layout.side() * layout.side();
    let parts: Vec<usize> = (0..cells)
        .map(|cell| {
            let (u, v) = layout.place(cell);
            Part::at(u.hypot(v), core_ratio) as usize
        })
        .collect();
    let level = |capture: &[i16], part: usize| {
        let inside = capture.iter().zip(&parts).filter(|(value, at)| **at == part && **value != UNKNOWN);
        let mut values: Vec<f32> = inside.map(|(value, _)| f32::from(*value)).collect();
        median(&mut values)
    };
    let levels: Vec<[f32; 3]> = these.iter().map(|i| [0, 1, 2].map(|part| level(&aligned[*i], part))).collect();
    let usual = [0, 1, 2].map(|part: usize| {
        let mut of_all: Vec<f32> = levels.iter().map(|levels| levels[part]).collect();
        median(&mut of_all)
    });
    let mut column = Vec::with_capacity(these.len());
    let cell_median = |cell: usize| {
        let part = parts[cell];
        column.clear();
        let known = these.iter().zip(&levels).filter(|(i, _)| aligned[**i][cell] != UNKNOWN);
        column.extend(known.map(|(i, levels)| f32::from(aligned[*i][cell]) - levels[part] + usual[part]));
        if enough(column.len(), these.len()) { rounded(median(&mut column)) } else { UNKNOWN }
    };
    (0..cells).map(cell_median).collect()
}

/// A cell counts where half of the captures reach it, and never fewer than are worth a deviation.
fn enough(reaching: usize, captures: usize) -> bool {
    2 * reaching >= captures && reaching >= FEWEST - 3
}

fn gather(captures: &[Vec<i16>], cell: usize, column: &mut Vec<f32>) {
    column.clear();
    column.extend(captures.iter().map(|capture| capture[cell]).filter(|value| *value != UNKNOWN).map(f32::from));
}

fn middle_of(captures: &[Vec<i16>], cell: usize, column: &mut Vec<f32>) -> i16 {
    gather(captures, cell, column);
    if enough(column.len(), captures.len()) { rounded(median(column)) } else { UNKNOWN }
}

fn rounded(value: f32) -> i16 {
    value.round().clamp(f32::from(UNKNOWN + 1), f32::from(i16::MAX)) as i16
}

/// Spreads that do not depend on chance: the mean of the neighbourhood, and not far below what is usual at that distance
/// from the middle.
fn pooled(raw: &[f32], target: &[i16], layout: Layout) -> Vec<i16> {
    let side = layout.side();
    let ring = |cell: usize| {
        let (u, v) = layout.place(cell);
        (u.hypot(v) * f64::from(layout.cells)).round() as usize
    };
    let mut rings: Vec<Vec<f32>> = Vec::new();
    for (cell, spread) in raw.iter().enumerate().filter(|(cell, _)| target[*cell] != UNKNOWN) {
        let ring = ring(cell);
        if rings.len() <= ring {
            rings.resize_with(ring + 1, Vec::new);
        }
        rings[ring].push(*spread);
    }
    let usual: Vec<f32> = rings.iter_mut().map(|ring| median(ring)).collect();
    let around = |cell: usize| {
        let (x, y) = (cell % side, cell / side);
        let (mut sum, mut n) = (0.0, 0.0_f32);
        for v in y.saturating_sub(1)..(y + 2).min(side) {
            for u in x.saturating_sub(1)..(x + 2).min(side) {
                if target[v * side + u] != UNKNOWN {
                    (sum, n) = (sum + raw[v * side + u], n + 1.0);
                }
            }
        }
        sum / n.max(1.0)
    };
    let spread = |cell: usize| {
        let usual = usual.get(ring(cell)).copied().unwrap_or(0.0);
        let spread = around(cell).max(OF_RING * usual).max(LEAST_GRAY * UNIT);
        spread.round().min(f32::from(i16::MAX)) as i16
    };
    (0..raw.len()).map(|cell| if target[cell] == UNKNOWN { 0 } else { spread(cell) }).collect()
}

fn share_off(capture: &[i16], target: &[i16], spread: &[i16]) -> f32 {
    let (mut off, mut known) = (0.0_f32, 0.0_f32);
    for ((value, target), spread) in capture.iter().zip(target).zip(spread) {
        if *value != UNKNOWN && *target != UNKNOWN {
            known += 1.0;
            let limit = (OFF_SIGMA * f32::from(*spread)).max(OFF_GRAY * UNIT);
            off += if (f32::from(*value) - f32::from(*target)).abs() > limit { 1.0 } else { 0.0 };
        }
    }
    off / known.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { cells: 24 };

    /// An end face of another brightness, with noise, each from its number.
    fn capture(number: usize) -> Vec<i16> {
        let side = LAYOUT.side();
        let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..side * side)
            .map(|cell| {
                let (u, v) = LAYOUT.place(cell);
                let base = if u.hypot(v) < 1.0 { 80.0 } else { 170.0 };
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let noise = (state % 2001) as f32 / 1000.0 - 1.0;
                ((base + number as f32 + noise) * UNIT) as i16
            })
            .collect()
    }

    #[test]
    fn the_model_is_the_common_face_and_its_spread_the_noise() {
        let captures: Vec<_> = (0..16).map(capture).collect();
        let learnt = learn(&captures, LAYOUT, None).unwrap();
        assert!(learnt.unlike.is_empty() && learnt.model.captures == 16);
        // Even noise of ±1 has a median deviation of a half.
        let inside = LAYOUT.cell((0.3, 0.2)).unwrap();
        let level = f32::from(learnt.model.median[inside]) / UNIT;
        assert!((level - 87.5).abs() < 1.5, "{level}");
        let spread = f32::from(learnt.model.spread[inside]) / UNIT;
        assert!((0.4..1.2).contains(&spread), "{spread}");
    }

    #[test]
    fn a_capture_unlike_the_rest_is_left_out_and_dirt_is_borne() {
        let mut captures: Vec<_> = (0..12).map(capture).collect();
        let patch = |at: (f64, f64), radius: f64, capture: &mut Vec<i16>| {
            for (cell, value) in capture.iter_mut().enumerate() {
                let (u, v) = LAYOUT.place(cell);
                *value += if (u - at.0).hypot(v - at.1) < radius { 960 } else { 0 };
            }
        };
        patch((0.4, 0.0), 0.5, &mut captures[5]);
        patch((-1.1, 0.3), 0.4, &mut captures[5]);
        patch((-0.5, 0.1), 0.08, &mut captures[7]);
        let learnt = learn(&captures, LAYOUT, None).unwrap();
        assert_eq!(learnt.unlike.iter().map(|(i, _)| *i).collect::<Vec<_>>(), [5]);
        let spot = f32::from(learnt.model.median[LAYOUT.cell((-0.5, 0.1)).unwrap()]) / UNIT;
        assert!((spot - 85.5).abs() < 1.5, "{spot}");
    }

    #[test]
    fn too_few_captures_are_no_model() {
        let captures: Vec<_> = (0..FEWEST - 1).map(capture).collect();
        assert_eq!(learn(&captures, LAYOUT, None).unwrap_err(), FEWEST - 1);
    }
}
