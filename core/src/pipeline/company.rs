//! What a defect's neighbours say of its kind. A droplet alone looks like a pit; among many or beside a film it is
//! residue, and so is a short line beside a film: one of its folds. A pit in the course of a scratch is where the scratch
//! tore something out.
//!
//! Changes kinds of pits, particles and short scratches, and nothing else: neither masks nor what is a defect. Works on
//! merged defects, since only here all detectors' answers are together. Never reads pixels. Called by [`super::run`].
//!
//! Distances are in micrometres on the end face. They and the areas were measured on annotated photographs.

use ferrule_abi::{Defect, DefectKind};

use super::{merge::Merged, runs};

/// Droplets so near to each other are of one film, if there are so many around one.
const CROWD_REACH_UM: f64 = 6.0;
const CROWD: usize = 3;
/// What lies so near to a film of at least that area is of it, if it is smaller.
const FILM_REACH_UM: f64 = 8.0;
const FILM_UM2: f64 = 300.0;
/// A scratch beside a film is one of its folds if it is no longer than that.
const FOLD_UM: f64 = 40.0;
/// A spot is of a larger scratch if half of it lies so near to the scratch: wider than its mask, for a scratch tears at its sides.
const COURSE_REACH_UM: f64 = 3.5;
const COURSE_SHARE: f64 = 0.5;

/// Settles the kinds. The answer does not depend on the order of the defects.
pub fn settle(merged: &mut [Merged], um_per_px: f64) {
    let px = |um: f64| um / um_per_px;
    let films: Vec<DefectKind> = (0..merged.len()).map(|i| of_film(merged, i, um_per_px)).collect();
    set(merged, &films);
    let courses: Vec<DefectKind> = (0..merged.len())
        .map(|i| {
            let defect = &merged[i].defect;
            let wanted = COURSE_SHARE * f64::from(defect.area_px);
            let mut scratches =
                others(merged, i).filter(|it| it.kind == DefectKind::Scratch && it.area_px > defect.area_px);
            let reach = px(COURSE_REACH_UM);
            let torn = is_spot(defect)
                && scratches.any(|it| {
                    may_be_near(defect, it, reach)
                        && f64::from(runs::area_near(&defect.mask, &it.mask, reach)) >= wanted
                });
            if torn { DefectKind::Scratch } else { defect.kind }
        })
        .collect();
    set(merged, &courses);
}

/// The kind of one defect, given the films and droplets around it.
fn of_film(merged: &[Merged], i: usize, um_per_px: f64) -> DefectKind {
    let defect = &merged[i].defect;
    let is_line = defect.kind == DefectKind::Scratch && defect.length_px * um_per_px <= FOLD_UM;
    if !is_line && !is_spot(defect) {
        return defect.kind;
    }
    let near = |other: &Defect, um: f64| {
        let reach = um / um_per_px;
        may_be_near(defect, other, reach) && runs::area_near(&defect.mask, &other.mask, reach) > 0
    };
    let films = others(merged, i).filter(|other| other.kind == DefectKind::Residue && near(other, FILM_REACH_UM));
    let film: f64 = films.map(|film| f64::from(film.area_px)).sum();
    // A line's mask is as wide as it was drawn; only much more film than that makes it a fold.
    let own = f64::from(defect.area_px) * if is_line { 2.0 } else { 1.0 };
    let beside_film = film * um_per_px * um_per_px > FILM_UM2 && film > own;
    let droplet =
        |other: &&Defect| (is_spot(other) || other.kind == DefectKind::Residue) && near(other, CROWD_REACH_UM);
    let crowded = || !is_line && others(merged, i).filter(droplet).take(CROWD).count() == CROWD;
    if beside_film || crowded() { DefectKind::Residue } else { defect.kind }
}

fn is_spot(defect: &Defect) -> bool {
    matches!(defect.kind, DefectKind::Pit | DefectKind::Particle)
}

fn others(merged: &[Merged], i: usize) -> impl Iterator<Item = &Defect> {
    merged.iter().enumerate().filter(move |(j, _)| *j != i).map(|(_, merged)| &merged.defect)
}

fn set(merged: &mut [Merged], kinds: &[DefectKind]) {
    merged.iter_mut().zip(kinds).for_each(|(merged, kind)| merged.defect.kind = *kind);
}

/// Cheap and never wrong with `false`: by their boxes.
fn may_be_near(a: &Defect, b: &Defect, reach: f64) -> bool {
    let apart = |a: u32, a_size: u32, b: u32, b_size: u32| {
        f64::from(a) > f64::from(b + b_size) + reach || f64::from(b) > f64::from(a + a_size) + reach
    };
    !apart(a.bbox.x, a.bbox.width, b.bbox.x, b.bbox.width) && !apart(a.bbox.y, a.bbox.height, b.bbox.y, b.bbox.height)
}

#[cfg(test)]
mod tests {
    use DefectKind::{Chip, Particle, Pit, Residue, Scratch};
    use ferrule_abi::{BoundingBox, RVec, Severity};

    use super::*;

    /// Micrometres a pixel of these pictures.
    const UM: f64 = 0.5;

    fn defect(kind: DefectKind, [x, y, width, height]: [u32; 4]) -> Merged {
        let bbox = BoundingBox { x, y, width, height };
        let defect = Defect {
            kind,
            severity: Severity::Low,
            confidence: 0.8,
            bbox,
            x: f64::from(x),
            y: f64::from(y),
            area_px: width * height,
            length_px: f64::from(width.max(height)),
            width_px: f64::from(width.min(height)),
            angle_deg: 0.0,
            mask: runs::filled(bbox).into(),
            attributes: RVec::new(),
        };
        Merged { defect, parts: Vec::new() }
    }

    /// The kinds of the defects, settled in this order and in the other one.
    fn settled(all: Vec<Merged>) -> Vec<DefectKind> {
        let kinds = |mut all: Vec<Merged>| {
            settle(&mut all, UM);
            all.into_iter().map(|merged| merged.defect.kind).collect::<Vec<_>>()
        };
        let mut backwards = kinds(all.iter().rev().cloned().collect());
        backwards.reverse();
        let kinds = kinds(all);
        assert_eq!(kinds, backwards);
        kinds
    }

    #[test]
    fn droplets_close_together_are_residue_and_a_few_or_scattered_ones_are_pits() {
        let droplets =
            |step: u32, n: u32| (0..n).map(|i| defect(Pit, [20 + step * (i % 2), 20 + step * (i / 2), 5, 5])).collect();
        assert_eq!(settled(droplets(10, 4)), [Residue; 4]);
        assert_eq!(settled(droplets(10, 3)), [Pit; 3]);
        assert_eq!(settled(droplets(30, 4)), [Pit; 4]);
    }

    #[test]
    fn crumbs_and_short_lines_beside_a_film_are_of_it_but_chips_and_long_scratches_are_not() {
        let film = || defect(Residue, [100, 100, 50, 40]);
        let around = vec![
            film(),
            defect(Particle, [156, 110, 5, 5]),
            defect(Scratch, [100, 146, 60, 2]),
            defect(Chip, [90, 110, 5, 5]),
            defect(Scratch, [60, 95, 200, 2]),
            defect(Pit, [190, 110, 5, 5]),
        ];
        assert_eq!(settled(around), [Residue, Residue, Residue, Chip, Scratch, Pit]);
        let small = vec![defect(Residue, [100, 100, 30, 20]), defect(Pit, [136, 105, 5, 5])];
        assert_eq!(settled(small), [Residue, Pit]);
    }

    #[test]
    fn a_pit_in_the_course_of_a_scratch_is_of_it_and_one_aside_is_not() {
        let scratch = defect(Scratch, [50, 60, 200, 2]);
        let beside = |y| defect(Pit, [120, y, 6, 6]);
        assert_eq!(settled(vec![scratch.clone(), beside(64)]), [Scratch, Scratch]);
        assert_eq!(settled(vec![scratch.clone(), beside(68)]), [Scratch, Pit]);
        assert_eq!(settled(vec![scratch, defect(Pit, [120, 64, 60, 8])]), [Scratch, Pit]);
    }
}
