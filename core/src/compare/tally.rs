//! Counts over all pictures, one picture at a time, and the pictures that differ most.

use std::{cmp::Reverse, collections::BTreeMap, path::PathBuf};

use ferrule_vision::ellipse::Ellipse;

use super::{
    pairing::Pairing,
    report::{
        ChangeCounts, Changed, DefectCounts, Difference, NotCompared, Report, Shift, Shifts, Side, SideTimes,
        TypeChange, TypeCounts,
    },
};
use crate::{
    evaluate::{distance, percentile},
    report::{DefectKind, Inspection, Outcome, Outline, Timings},
};

/// What came of it.
#[derive(Debug)]
pub struct Comparison {
    pub report: Report,
    /// In the order of the report's `most`.
    pub most: Vec<DifferingPicture>,
}

/// A picture of which the two say something different, with all that is needed to draw it.
#[derive(Debug)]
pub struct DifferingPicture {
    pub path: PathBuf,
    pub difference: Difference,
    pub inspections: [Inspection; 2],
    pub pairing: Pairing,
}

/// Counts while pictures come.
#[derive(Debug, Default)]
pub(super) struct Tally {
    keep: usize,
    pictures: u64,
    differing: u64,
    fragments: u64,
    has_defect: BTreeMap<[Option<bool>; 2], u64>,
    verdict: BTreeMap<[Outcome; 2], u64>,
    by_type: BTreeMap<DefectKind, DefectCounts>,
    changes: ChangeCounts,
    type_changes: BTreeMap<[DefectKind; 2], u64>,
    cladding: Moves,
    core: Moves,
    ms: [Timings; 2],
    most: Vec<DifferingPicture>,
    failed: Vec<NotCompared>,
}

#[derive(Debug, Default)]
struct Moves {
    distances: Vec<f64>,
    only: [u64; 2],
}

impl Tally {
    pub fn keeping(keep: usize) -> Self {
        Self { keep, ..Self::default() }
    }

    pub fn fail(&mut self, file: String, a: Option<String>, b: Option<String>) {
        self.failed.push(NotCompared { file, a, b });
    }

    pub fn take(&mut self, file: String, path: PathBuf, inspections: [Inspection; 2]) {
        let [a, b] = &inspections;
        let pairing = Pairing::of(&a.defects, &b.defects);
        self.pictures += 1;
        self.count_defects(a, b, &pairing);
        self.fragments += pairing.fragments as u64;
        *self.has_defect.entry([a.has_defect, b.has_defect]).or_default() += 1;
        let verdict = [a.verdict.overall, b.verdict.overall];
        *self.verdict.entry(verdict).or_default() += 1;
        self.cladding.take(a.zones.cladding.as_ref(), b.zones.cladding.as_ref());
        self.core.take(a.zones.core.as_ref(), b.zones.core.as_ref());
        for (sum, inspection) in self.ms.iter_mut().zip(&inspections) {
            add(sum, &inspection.ms);
        }
        let (changed, gone, new) = (pairing.changed() as u64, pairing.gone.len() as u64, pairing.new.len() as u64);
        let has_defect = [a.has_defect, b.has_defect];
        let weight = changed
            + gone
            + new
            + 4 * u64::from(has_defect[0] != has_defect[1])
            + 2 * u64::from(verdict[0] != verdict[1]);
        let fragments = pairing.fragments as u64;
        if weight + fragments == 0 {
            return;
        }
        self.differing += 1;
        let difference = Difference { file, weight, changed, gone, new, fragments, has_defect, verdict };
        self.most.push(DifferingPicture { path, difference, inspections, pairing });
        if self.most.len() >= 2 * self.keep.max(1) {
            self.cut();
        }
    }

    fn count_defects(&mut self, a: &Inspection, b: &Inspection, pairing: &Pairing) {
        let mut of = |kind: DefectKind, count: &dyn Fn(&mut DefectCounts)| count(self.by_type.entry(kind).or_default());
        a.defects.iter().for_each(|defect| of(defect.kind, &|it| it.a += 1));
        b.defects.iter().for_each(|defect| of(defect.kind, &|it| it.b += 1));
        for place in &pairing.gone {
            of(a.defects[*place].kind, &|it| it.gone += 1);
        }
        for place in &pairing.new {
            of(b.defects[*place].kind, &|it| it.new += 1);
        }
        for (first, second, changes) in &pairing.pairs {
            let (from, to) = (a.defects[*first].kind, b.defects[*second].kind);
            of(from, &|it| if changes.any() { it.changed += 1 } else { it.same += 1 });
            self.changes.kind += u64::from(changes.kind);
            self.changes.severity += u64::from(changes.severity);
            self.changes.confidence += u64::from(changes.confidence);
            self.changes.zone += u64::from(changes.zone);
            if changes.kind {
                *self.type_changes.entry([from, to]).or_default() += 1;
            }
        }
    }

    fn cut(&mut self) {
        self.most.sort_by(|a, b| {
            let key = |it: &DifferingPicture| (Reverse(it.difference.weight), Reverse(it.difference.fragments));
            key(a).cmp(&key(b)).then_with(|| a.difference.file.cmp(&b.difference.file))
        });
        self.most.truncate(self.keep);
    }

    pub fn end(mut self, [a, b]: [Side; 2], remarks: Vec<String>, interrupted: bool) -> Comparison {
        self.cut();
        let mut total = DefectCounts::default();
        for counts in self.by_type.values() {
            total.a += counts.a;
            total.b += counts.b;
            total.same += counts.same;
            total.changed += counts.changed;
            total.gone += counts.gone;
            total.new += counts.new;
        }
        let pictures = self.pictures;
        let [ms_a, ms_b] = self.ms.map(|sum| mean(&sum, pictures));
        let report = Report {
            a,
            b,
            pictures,
            differing: self.differing,
            has_defect: changed(self.has_defect),
            verdict: changed(self.verdict),
            defects: total,
            fragments: self.fragments,
            changes: self.changes,
            by_type: self.by_type.into_iter().map(|(kind, counts)| TypeCounts { kind, counts }).collect(),
            type_changes: self.type_changes.into_iter().map(|([a, b], defects)| TypeChange { a, b, defects }).collect(),
            outlines: Shifts { cladding: self.cladding.end(), core: self.core.end() },
            ms: SideTimes { a: ms_a, b: ms_b },
            most: self.most.iter().map(|it| it.difference.clone()).collect(),
            failed: self.failed,
            remarks,
            interrupted,
        };
        Comparison { report, most: self.most }
    }
}

impl Moves {
    fn take(&mut self, a: Option<&Outline>, b: Option<&Outline>) {
        match (a.map(Ellipse::from), b.map(Ellipse::from)) {
            (Some(a), Some(b)) => self.distances.push(distance(&a, &b).0),
            (Some(_), None) => self.only[0] += 1,
            (None, Some(_)) => self.only[1] += 1,
            (None, None) => {}
        }
    }

    fn end(mut self) -> Shift {
        self.distances.sort_by(f64::total_cmp);
        let at = |share| percentile(&self.distances, share);
        let [only_a, only_b] = self.only;
        let both = self.distances.len() as u64;
        Shift { both, only_a, only_b, median_px: at(0.5), p95_px: at(0.95), largest_px: at(1.0) }
    }
}

fn changed<T: Copy>(counts: BTreeMap<[T; 2], u64>) -> Vec<Changed<T>> {
    counts.into_iter().map(|([a, b], pictures)| Changed { a, b, pictures }).collect()
}

fn add(sum: &mut Timings, ms: &Timings) {
    sum.decode += ms.decode;
    sum.segment += ms.segment;
    sum.detect += ms.detect;
    sum.measure += ms.measure;
    sum.grade += ms.grade;
    sum.artefacts += ms.artefacts;
}

fn mean(sum: &Timings, pictures: u64) -> Timings {
    let n = pictures.max(1) as f64;
    Timings {
        decode: sum.decode / n,
        segment: sum.segment / n,
        detect: sum.detect / n,
        measure: sum.measure / n,
        grade: sum.grade / n,
        artefacts: sum.artefacts / n,
    }
}
