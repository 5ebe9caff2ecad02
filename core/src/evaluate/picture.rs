//! The score of one picture: what the figures over all of them are made of, small enough to keep for each.

use super::{
    matching::{self, Matched, Verdict},
    outlines::{CLADDING_TOLERANCE, CORE_TOLERANCE, OutlineScore},
    truth::TrueImage,
};
use crate::{
    report::{DefectKind, Inspection},
    simulate::truth::Label,
};

/// What an inspection is worth by the truth.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureScore {
    /// `file_name`.
    pub name: String,
    pub label: Option<Label>,
    /// The one type that all its true defects have, if they have one.
    pub only_kind: Option<DefectKind>,
    pub core: Option<OutlineScore>,
    pub cladding: Option<OutlineScore>,
    /// `None` where the truth does not list the defects.
    pub matched: Option<Matched>,
    /// The confidence of the surest defect; 0 without any.
    pub surest: f64,
    /// By the label rule in force; `None` without a fibre, with an incomplete result, or where it failed.
    pub has_defect: Option<bool>,
    pub megapixels: f64,
}

impl PictureScore {
    /// Scores an inspection; a failed one has found nothing.
    #[must_use]
    pub fn of(image: &TrueImage, inspection: Option<&Inspection>) -> Self {
        let zones = inspection.map(|inspection| &inspection.zones);
        let defects = inspection.map_or(&[][..], |inspection| &inspection.defects);
        let mut kinds = image.defects.iter().flatten().map(|defect| defect.kind);
        let first = kinds.next().flatten();
        Self {
            name: image.name.clone(),
            label: image.label,
            only_kind: first.filter(|first| kinds.all(|kind| kind == Some(*first))),
            core: OutlineScore::of(&image.core, zones.and_then(|zones| zones.core.as_ref()), CORE_TOLERANCE),
            cladding: OutlineScore::of(
                &image.cladding,
                zones.and_then(|zones| zones.cladding.as_ref()),
                CLADDING_TOLERANCE,
            ),
            matched: matching::compare(image, defects),
            surest: defects.iter().map(|defect| defect.confidence).fold(0.0, f64::max),
            has_defect: inspection.and_then(|inspection| inspection.has_defect),
            megapixels: image.megapixels,
        }
    }

    /// True defects that were not found.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.matched.iter().flat_map(|matched| &matched.truths).filter(|truth| !truth.is_found).count() as u64
    }

    /// Found defects that are not there.
    #[must_use]
    pub fn false_alarms(&self) -> u64 {
        let finds = self.matched.iter().flat_map(|matched| &matched.found);
        finds.filter(|find| find.verdict == Verdict::False).count() as u64
    }

    /// The label rule said the opposite of the truth, or nothing.
    #[must_use]
    pub fn is_mislabelled(&self) -> bool {
        self.label.is_some_and(|label| self.has_defect != Some(label == Label::Defect))
    }

    /// How bad: one for each missed defect and false alarm, two for a wrong label or core, three for a wrong cladding, on
    /// which everything else rests.
    #[must_use]
    pub fn badness(&self) -> u64 {
        let wrong = |score: &Option<OutlineScore>| u64::from(score.is_some_and(|score| !score.is_right()));
        self.missed()
            + self.false_alarms()
            + 2 * u64::from(self.is_mislabelled())
            + 2 * wrong(&self.core)
            + 3 * wrong(&self.cladding)
    }
}
