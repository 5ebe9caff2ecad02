//! What was decided on this screen, to be taken back and done again. A decision that was taken back stays in the database as
//! what it is: two words of one person, of which the later one holds.

use ferrule_core::{
    dataset::review::{Decision, Review},
    ids::CaptureId,
};

/// One decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    pub capture: CaptureId,
    pub review: Review,
    /// What the same person said of the same thing before.
    pub before: Option<Review>,
}

impl Deed {
    /// What makes it undone.
    fn inverse(&self) -> Review {
        let decision = match (&self.before, &self.review.defect) {
            (Some(before), _) => before.decision,
            (None, None) => Decision::Withdrawn,
            (None, Some(_)) => Decision::Retracted,
        };
        let said = self.before.as_ref().unwrap_or(&self.review);
        Review { decision, ..said.clone() }
    }

    fn is_about(&self, review: &Review) -> bool {
        let id = |review: &Review| review.defect.as_ref().map(|defect| (defect.defect_id.clone(), defect.bbox));
        self.review.image == review.image && id(&self.review) == id(review)
    }
}

/// Decisions in their order, and those taken back.
#[derive(Debug, Default)]
pub struct Deeds {
    done: Vec<Deed>,
    undone: Vec<Deed>,
}

impl Deeds {
    /// How many decisions about whole images hold.
    pub fn images(&self) -> usize {
        self.done.iter().filter(|deed| deed.review.defect.is_none()).count()
    }

    /// A new decision. What was taken back before cannot be done again any more.
    pub fn add(&mut self, capture: CaptureId, review: Review, said: &[Review]) {
        let latest = self.done.iter().rev().find(|deed| deed.is_about(&review)).map(|deed| deed.review.clone());
        let before = latest.or_else(|| {
            let probe = Deed { capture, review: review.clone(), before: None };
            said.iter().rev().find(|other| other.reviewer == review.reviewer && probe.is_about(other)).cloned()
        });
        self.undone.clear();
        self.done.push(Deed { capture, review, before });
    }

    /// The last decision is taken back: where it was made, and what has to be said for that.
    pub fn undo(&mut self) -> Option<(CaptureId, Review)> {
        let deed = self.done.pop()?;
        let undone = (deed.capture, deed.inverse());
        self.undone.push(deed);
        Some(undone)
    }

    /// The decision taken back last is made again.
    pub fn redo(&mut self) -> Option<(CaptureId, Review)> {
        let deed = self.undone.pop()?;
        let again = (deed.capture, deed.review.clone());
        self.done.push(deed);
        Some(again)
    }
}

#[cfg(test)]
mod tests {
    use ferrule_core::{dataset::review::ReviewedDefect, ids::ImageId, report::DefectKind};

    use super::*;

    fn word(decision: Decision, defect: Option<&str>) -> Review {
        Review {
            image: ImageId::of(b"a"),
            reviewer: "Ann".into(),
            at: None,
            decision,
            defect: defect.map(|id| ReviewedDefect {
                defect_id: Some(id.into()),
                kind: DefectKind::Pit,
                bbox: [1, 2, 3, 4],
                mask: Vec::new(),
            }),
            note: None,
        }
    }

    #[test]
    fn what_is_undone_says_what_was_said_before() {
        let mut deeds = Deeds::default();
        let capture = CaptureId(1);
        deeds.add(capture, word(Decision::Clean, None), &[word(Decision::Defect, None)]);
        deeds.add(capture, word(Decision::Rejected, Some("d")), &[]);
        deeds.add(capture, word(Decision::Confirmed, Some("d")), &[]);
        let undone: Vec<_> = std::iter::from_fn(|| deeds.undo()).map(|(_, review)| review.decision).collect();
        assert_eq!(undone, [Decision::Rejected, Decision::Retracted, Decision::Defect]);
        let again: Vec<_> = std::iter::from_fn(|| deeds.redo()).map(|(_, review)| review.decision).collect();
        assert_eq!(again, [Decision::Clean, Decision::Rejected, Decision::Confirmed]);
        deeds.undo();
        deeds.add(capture, word(Decision::Clean, None), &[]);
        assert_eq!(deeds.redo(), None);
    }
}
