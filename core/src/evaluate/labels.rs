//! Pictures as a whole: has it a defect or not? By the surest defect at every threshold, and by the label rule in force.

use serde::Serialize;

use super::{
    defects::class,
    picture::PictureScore,
    roc::Roc,
    share::{Estimate, Share},
};
use crate::{report::DefectKind, simulate::truth::Label};

/// Everything about pictures as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LabelFigures {
    /// Those that the truth calls clean or with a defect.
    pub pictures: u64,
    /// Without an answer (no fibre found, an incomplete or failed inspection): they count as wrong.
    pub undecided: u64,
    pub accuracy: Share,
    /// Of pictures with a defect, those called so.
    pub sensitivity: Share,
    /// Of clean ones, those called so.
    pub specificity: Share,
    /// Of the surest defect's confidence.
    pub roc: Roc,
    /// Pictures whose defects are all of one type or class, against all clean ones.
    pub by_kind: Vec<OneKind>,
}

/// One type or class against the clean pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OneKind {
    pub name: &'static str,
    pub sensitivity: Share,
    pub specificity: Share,
    /// The mean of both: the accuracy on a set of which half is clean, which is how the field reports it.
    pub balanced_accuracy: Option<Estimate>,
    /// Area under the curve of these against the clean ones.
    pub auc: Option<Estimate>,
}

impl LabelFigures {
    /// Of the scored pictures.
    #[must_use]
    pub(super) fn of(pictures: &[PictureScore]) -> Self {
        let labelled: Vec<&PictureScore> = pictures.iter().filter(|picture| picture.label.is_some()).collect();
        let side = |label: Label| labelled.iter().copied().filter(move |picture| picture.label == Some(label));
        let called = |picture: &PictureScore, defect: bool| picture.has_defect == Some(defect);
        let specificity = Share::among(side(Label::Clean).map(|picture| called(picture, false)));
        let scores = |wanted: &dyn Fn(&PictureScore) -> bool| {
            let kept = labelled.iter().filter(|picture| wanted(picture));
            let pairs: Vec<_> = kept.map(|picture| (picture.surest, picture.label == Some(Label::Defect))).collect();
            Roc::of(&pairs)
        };
        let one_kind = |name: &'static str, wanted: &dyn Fn(DefectKind) -> bool| {
            let is_one =
                |picture: &PictureScore| picture.label == Some(Label::Defect) && picture.only_kind.is_some_and(wanted);
            let these = labelled.iter().filter(|picture| is_one(picture));
            let sensitivity = Share::among(these.map(|picture| called(picture, true)));
            (sensitivity.of > 0).then(|| OneKind {
                name,
                sensitivity,
                specificity,
                balanced_accuracy: Estimate::mean(&sensitivity, &specificity),
                auc: scores(&|picture| picture.label == Some(Label::Clean) || is_one(picture)).auc,
            })
        };
        let classes = ["region", "scratch"].map(|name| one_kind(name, &|kind| class(kind) == name));
        let kinds = DefectKind::ALL.iter().filter(|kind| **kind != DefectKind::Scratch);
        let kinds = kinds.map(|kind| one_kind(kind.as_str(), &|other| other == *kind));
        Self {
            pictures: labelled.len() as u64,
            undecided: labelled.iter().filter(|picture| picture.has_defect.is_none()).count() as u64,
            accuracy: Share::among(labelled.iter().map(|picture| !picture.is_mislabelled())),
            sensitivity: Share::among(side(Label::Defect).map(|picture| called(picture, true))),
            specificity,
            roc: scores(&|_| true),
            by_kind: classes.into_iter().chain(kinds).flatten().collect(),
        }
    }
}
