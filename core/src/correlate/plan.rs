//! Who is new, changed or gone since the last time, and what follows from it for the rows that are there.

use std::collections::HashSet;

use super::{
    Correlate, CorrelateError, Mode,
    cache::Cache,
    desk::{Desk, ROWS},
    products::NONE,
};
use crate::{
    ids::ImageId,
    store::{CorrelationRow, CorrelationWrite, Reader, StoreError},
};

/// A picture that takes part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub image: ImageId,
    hash: u64,
    slot: u32,
}

/// Who is new, and who is gone.
pub(super) struct Plan {
    /// New and changed ones first, each part in the order of ids.
    pub entries: Vec<Entry>,
    /// So many are new or changed.
    pub leading: usize,
    /// Marked, but no longer taking part.
    gone: Vec<ImageId>,
    /// Everything is new: written with other settings, or never.
    pub anew: Option<(String, String)>,
}

impl Plan {
    /// `laid` in the order of ids.
    pub fn new(
        settings: &Correlate,
        reader: &Reader,
        cache: &Cache,
        laid: &[(ImageId, u64)],
    ) -> Result<Self, CorrelateError> {
        let wanted = (settings.grid.to_string(), settings.mode.to_string());
        let anew = reader.correlation_settings()?.as_ref() != Some(&wanted);
        let marked = if anew { Vec::new() } else { reader.correlated()? };
        let mark_of =
            |image: ImageId| marked.binary_search_by_key(&image, |(image, _)| *image).ok().map(|place| marked[place].1);
        let entries: Vec<Entry> = laid
            .iter()
            .filter_map(|(image, key)| cache.get(*image, *key).map(|record| (*image, record)))
            .map(|(image, record)| Entry { image, hash: record.hash, slot: record.slot })
            .collect();
        let has = |image: ImageId| entries.binary_search_by_key(&image, |entry| entry.image).is_ok();
        let gone: Vec<ImageId> = marked.iter().map(|(image, _)| *image).filter(|image| !has(*image)).collect();
        let mut fresh: HashSet<ImageId> =
            entries.iter().filter(|entry| mark_of(entry.image) != Some(entry.hash)).map(|entry| entry.image).collect();
        if matches!(settings.mode, Mode::Top(_)) && !anew {
            // Whoever had one of them as a neighbour may have another one now.
            let lost: HashSet<ImageId> =
                fresh.iter().copied().filter(|image| mark_of(*image).is_some()).chain(gone.iter().copied()).collect();
            reader.each_correlation(|row| {
                if lost.contains(&row.a) || lost.contains(&row.b) {
                    fresh.extend([row.a, row.b].into_iter().filter(|image| has(*image)));
                }
                Ok::<_, StoreError>(())
            })?;
        }
        let (mut ordered, rest): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| fresh.contains(&entry.image));
        let leading = ordered.len();
        ordered.extend(rest);
        Ok(Self { entries: ordered, leading, gone, anew: anew.then_some(wanted) })
    }

    /// The place of an image.
    pub fn place(&self, image: ImageId) -> Option<usize> {
        let (fresh, rest) = self.entries.split_at(self.leading);
        let search = |part: &[Entry]| part.binary_search_by_key(&image, |entry| entry.image).ok();
        search(fresh).or_else(|| search(rest).map(|place| place + self.leading))
    }

    pub fn slots(&self) -> Vec<u32> {
        self.entries.iter().map(|entry| entry.slot).collect()
    }

    /// Pairs with at least one of the leading pictures.
    pub fn pairs(&self) -> u64 {
        let (fresh, all) = (self.leading as u64, self.entries.len() as u64);
        fresh * all - fresh * (fresh + 1) / 2
    }

    pub fn row(&self, one: usize, other: usize, pearson: f64, spearman: f64) -> CorrelationRow {
        let (one, other) = (self.entries[one].image, self.entries[other].image);
        let known = |value: f64| (value != NONE).then_some(value);
        let (pearson, spearman) = (known(pearson), known(spearman));
        CorrelationRow { a: one.min(other), b: one.max(other), pearson, spearman }
    }

    /// What is to go before anything comes, in an order in which a killed run is noticed.
    pub fn begin(&self, desk: &mut Desk<'_>) -> Result<(), CorrelateError> {
        if let Some(settings) = &self.anew {
            return desk.write(CorrelationWrite::Clear { settings: Some(settings.clone()) });
        }
        for part in self.entries[..self.leading].chunks(ROWS) {
            desk.write(CorrelationWrite::Unmark(part.iter().map(|entry| entry.image).collect()))?;
        }
        for part in self.gone.chunks(ROWS) {
            desk.write(CorrelationWrite::Forget(part.to_vec()))?;
        }
        Ok(())
    }

    pub fn mark(&self, desk: &mut Desk<'_>) -> Result<(), CorrelateError> {
        for part in self.entries[..self.leading].chunks(ROWS) {
            desk.write(CorrelationWrite::Mark(part.iter().map(|entry| (entry.image, entry.hash)).collect()))?;
        }
        Ok(())
    }
}
