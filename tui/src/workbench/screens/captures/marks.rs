//! Captures that a person has marked, to do one thing with all of them.

use std::collections::BTreeMap;

use ferrule_core::{
    ids::{CaptureId, ImageId},
    report::CaptureState,
    store::Listed,
};

use crate::workbench::rows::{Marking, Row};

/// Captures that can be marked at once: a client's memory is bounded.
pub const MOST: usize = 200_000;

/// The marks, with what an action needs to know of each capture.
#[derive(Debug, Default)]
pub struct Marks {
    marked: BTreeMap<CaptureId, (Option<ImageId>, CaptureState)>,
}

impl Marks {
    pub fn len(&self) -> usize {
        self.marked.len()
    }

    pub fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    pub fn has(&self, capture: CaptureId) -> bool {
        self.marked.contains_key(&capture)
    }

    pub fn clear(&mut self) {
        self.marked.clear();
    }

    /// Marks it, or takes the mark away.
    pub fn toggle(&mut self, row: &Row) {
        if self.marked.remove(&row.capture).is_none() && self.marked.len() < MOST {
            self.marked.insert(row.capture, (row.image, row.state));
        }
    }

    /// Marks all of these, or those of them that were not marked.
    pub fn take(&mut self, found: Vec<Listed>, marking: Marking) {
        if marking == Marking::Set {
            self.marked.extend(found.into_iter().map(|one| (one.capture, (one.image, one.state))));
            return;
        }
        let before = std::mem::take(&mut self.marked);
        self.marked = found
            .into_iter()
            .filter(|one| !before.contains_key(&one.capture))
            .map(|one| (one.capture, (one.image, one.state)))
            .collect();
    }

    /// Pictures of marked captures that could be inspected.
    pub fn images(&self) -> Vec<ImageId> {
        let mut images: Vec<_> = self.marked.values().filter_map(|(image, _)| *image).collect();
        images.sort_unstable();
        images.dedup();
        images
    }

    /// Marked captures that failed.
    pub fn failed(&self) -> Vec<CaptureId> {
        let failed = self.marked.iter().filter(|(_, (_, state))| *state == CaptureState::Failed);
        failed.map(|(capture, _)| *capture).collect()
    }
}
