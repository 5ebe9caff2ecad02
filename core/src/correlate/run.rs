//! What is missing, computed and brought into the database: new and changed pictures with all others, and whatever a
//! picture that is gone leaves to be found again.

use std::collections::HashSet;

use crossbeam_channel::select;

use super::{
    Correlate, CorrelateError, Grid, Listener, Mode, ROW_BYTES, Summary,
    cache::{Cache, hash_of},
    crew::{Crew, Errand, Laid},
    neighbours::{self, Neighbours},
    products::{NONE, Wanted},
    sweep::{Room, Sweep},
};
use crate::{
    ids::ImageId,
    store::{CorrelationRow, CorrelationWrite, Gridded, Reader, Receipt, Store, StoreError, Write},
    workspace::DatasetPaths,
};

/// Rows of one write, and writes on their way at once: enough to keep the writer busy.
const ROWS: usize = 4_096;
const IN_FLIGHT: usize = 8;

/// Rows that `full` makes of so many pictures, and the bytes that they take in the database.
#[must_use]
pub fn estimate(pictures: u64) -> (u64, u64) {
    let rows = pictures.saturating_mul(pictures.saturating_sub(1)) / 2;
    (rows, rows.saturating_mul(ROW_BYTES))
}

/// Brings the table `correlations` up to date. `stop` is asked often; what was done until then is kept.
///
/// The caller holds the dataset's lock, and reads no receipts meanwhile.
///
/// # Errors
/// See [`CorrelateError`]. A picture that cannot be read is in the summary.
pub fn run(
    settings: &Correlate,
    dataset: &DatasetPaths,
    store: &Store,
    stop: &dyn Fn() -> bool,
    listener: &mut dyn Listener,
) -> Result<Summary, CorrelateError> {
    let mut desk = Desk { store, in_flight: 0 };
    let mut summary = Summary::default();
    if settings.mode == Mode::Off {
        desk.write(CorrelationWrite::Clear { settings: None })?;
        desk.wait(0)?;
        return Ok(summary);
    }
    let reader = Reader::open(dataset)?;
    let mut cache = Cache::open(&dataset.grids(), settings.grid)?;
    let mut laid = lay_all(settings, dataset, &reader, &mut cache, stop, listener, &mut summary)?;
    cache.tidy()?;
    if summary.interrupted {
        return Ok(summary);
    }
    laid.sort_unstable();
    let plan = Plan::new(settings, &reader, &cache, &laid)?;
    drop(laid);
    summary.pictures = plan.entries.len() as u64;
    summary.fresh = plan.leading as u64;
    match settings.mode {
        Mode::Top(count) => top(settings, count, &plan, &reader, &cache, &mut desk, stop, listener, &mut summary)?,
        Mode::Full | Mode::Off => full(settings, &plan, &cache, &mut desk, stop, listener, &mut summary)?,
    }
    desk.wait(0)?;
    Ok(summary)
}

/// Makes the grids that are missing, and gives every picture that has one, with its key.
fn lay_all(
    settings: &Correlate,
    dataset: &DatasetPaths,
    reader: &Reader,
    cache: &mut Cache,
    stop: &dyn Fn() -> bool,
    listener: &mut dyn Listener,
    summary: &mut Summary,
) -> Result<Vec<(ImageId, u64)>, CorrelateError> {
    let count = reader.image_count()?;
    let mut all = Vec::new();
    let images = dataset.images();
    std::thread::scope(|scope| {
        let (errands, laid, hands) = Crew::start(scope, settings)?.split();
        let mut errands = Some(errands);
        let mut done = 0;
        let take = |laid: Laid, cache: &mut Cache, all: &mut Vec<_>, summary: &mut Summary| {
            match laid.cells {
                Ok(cells) => {
                    cache.add(laid.image, laid.key, &cells)?;
                    all.push((laid.image, laid.key));
                }
                Err(reason) => summary.failed.push((laid.image, reason)),
            }
            Ok::<_, CorrelateError>(())
        };
        let asked = reader.each_gridded(|picture| {
            done += 1;
            listener.gridded(done, count);
            let key = match (settings.grid, &picture.cladding) {
                (Grid::Aligned(_), None) => {
                    summary.without_fibre += 1;
                    return Ok(());
                }
                (grid, _) => key_of(grid, &picture),
            };
            if cache.get(picture.image, key).is_some() {
                all.push((picture.image, key));
                return Ok(());
            }
            if summary.interrupted || stop() {
                summary.interrupted = true;
                return Ok(());
            }
            let cladding = picture.cladding.filter(|_| matches!(settings.grid, Grid::Aligned(_)));
            let errand = Errand { image: picture.image, path: images.join(&picture.filename), cladding, key };
            let Some(errands) = &errands else { return Ok(()) };
            loop {
                select! {
                    send(errands, errand.clone()) -> sent => {
                        return sent.map_err(|_| CorrelateError::Worker(std::io::Error::other("all of them have ended")));
                    }
                    recv(laid) -> one => match one {
                        Ok(one) => take(one, cache, &mut all, summary)?,
                        Err(_) => return Err(CorrelateError::Worker(std::io::Error::other("all of them have ended"))),
                    }
                }
            }
        });
        errands = None;
        let mut rest = Ok(());
        if asked.is_ok() {
            for one in &laid {
                rest = rest.and_then(|()| take(one, cache, &mut all, summary));
            }
        }
        drop((laid, errands));
        // A worker that could not be started is the cause, and nobody to send to its consequence.
        Crew::end(hands)?;
        asked.and(rest)
    })?;
    Ok(all)
}

/// Of how a picture is laid: another outline is another grid.
fn key_of(grid: Grid, picture: &Gridded) -> u64 {
    let mut bytes = grid.to_string().into_bytes();
    if let (Grid::Aligned(_), Some(z)) = (grid, &picture.cladding) {
        bytes.extend([z.cx, z.cy, z.ax, z.by, z.angle_deg].iter().flat_map(|value| value.to_bits().to_be_bytes()));
    }
    hash_of(&bytes)
}

/// A picture that takes part.
#[derive(Debug, Clone, Copy)]
struct Entry {
    image: ImageId,
    hash: u64,
    slot: u32,
}

/// Who is new, and who is gone.
struct Plan {
    /// New and changed ones first, each part in the order of ids.
    entries: Vec<Entry>,
    /// So many are new or changed.
    leading: usize,
    /// Marked, but no longer taking part.
    gone: Vec<ImageId>,
    /// Everything is new: written with other settings, or never.
    anew: Option<(String, String)>,
}

impl Plan {
    /// `laid` in the order of ids.
    fn new(
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
    fn place(&self, image: ImageId) -> Option<usize> {
        let (fresh, rest) = self.entries.split_at(self.leading);
        let search = |part: &[Entry]| part.binary_search_by_key(&image, |entry| entry.image).ok();
        search(fresh).or_else(|| search(rest).map(|place| place + self.leading))
    }

    fn slots(&self) -> Vec<u32> {
        self.entries.iter().map(|entry| entry.slot).collect()
    }

    /// Pairs with at least one of the leading pictures.
    fn pairs(&self) -> u64 {
        let (fresh, all) = (self.leading as u64, self.entries.len() as u64);
        fresh * all - fresh * (fresh + 1) / 2
    }

    fn row(&self, one: usize, other: usize, pearson: f64, spearman: f64) -> CorrelationRow {
        let (one, other) = (self.entries[one].image, self.entries[other].image);
        let known = |value: f64| (value != NONE).then_some(value);
        let (pearson, spearman) = (known(pearson), known(spearman));
        CorrelationRow { a: one.min(other), b: one.max(other), pearson, spearman }
    }

    /// What is to go before anything comes, in an order in which a killed run is noticed.
    fn begin(&self, desk: &mut Desk<'_>) -> Result<(), CorrelateError> {
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

    fn mark(&self, desk: &mut Desk<'_>) -> Result<(), CorrelateError> {
        for part in self.entries[..self.leading].chunks(ROWS) {
            desk.write(CorrelationWrite::Mark(part.iter().map(|entry| (entry.image, entry.hash)).collect()))?;
        }
        Ok(())
    }
}

fn full(
    settings: &Correlate,
    plan: &Plan,
    cache: &Cache,
    desk: &mut Desk<'_>,
    stop: &dyn Fn() -> bool,
    listener: &mut dyn Listener,
    summary: &mut Summary,
) -> Result<(), CorrelateError> {
    let (slots, cells, pairs) = (plan.slots(), settings.grid.cells(), plan.pairs());
    let taken = plan.entries.len() as u64 * size_of::<Entry>() as u64;
    let room = Room::within(settings.memory, taken, cells, settings.threads, slots.len())?;
    plan.begin(desk)?;
    let sweep = Sweep { cache, slots: &slots, leading: plan.leading, cells, room, wanted: Wanted::Both };
    let mut rows = Vec::with_capacity(ROWS);
    let done = sweep.run(stop, &mut |row, column, tile| {
        for ((i, j), pearson) in tile.pearson.indexed_iter() {
            let (one, other) = (row + tile.rows.start + i, column + tile.columns.start + j);
            if other > one && one < plan.leading {
                rows.push(plan.row(one, other, *pearson, tile.spearman[(i, j)]));
                if rows.len() == ROWS {
                    summary.written += ROWS as u64;
                    desk.write(CorrelationWrite::Rows(std::mem::replace(&mut rows, Vec::with_capacity(ROWS))))?;
                }
            }
        }
        listener.compared(summary.written + rows.len() as u64, pairs);
        Ok(())
    })?;
    summary.written += rows.len() as u64;
    desk.write(CorrelationWrite::Rows(rows))?;
    summary.interrupted = !done;
    if done { plan.mark(desk) } else { Ok(()) }
}

#[expect(clippy::too_many_arguments, reason = "the run's own parts, taken one by one")]
fn top(
    settings: &Correlate,
    count: u32,
    plan: &Plan,
    reader: &Reader,
    cache: &Cache,
    desk: &mut Desk<'_>,
    stop: &dyn Fn() -> bool,
    listener: &mut dyn Listener,
    summary: &mut Summary,
) -> Result<(), CorrelateError> {
    let (slots, cells, pairs) = (plan.slots(), settings.grid.cells(), plan.pairs());
    let taken = plan.entries.len() as u64 * (size_of::<Entry>() as u64 + neighbours::bytes(count));
    let room = Room::within(settings.memory, taken, cells, settings.threads, slots.len())?;
    let order = |place: usize| plan.entries[place].image.number();
    let mut lists = Neighbours::new(slots.len(), count);
    if plan.anew.is_none() {
        reader.each_correlation(|row| {
            let places = (plan.place(row.a), plan.place(row.b));
            // Pairs of leading pictures are compared again.
            if let (Some(a), Some(b)) = places
                && a.min(b) >= plan.leading
            {
                lists.offer(a, b, row.pearson.unwrap_or(NONE), order);
            }
            Ok::<_, StoreError>(())
        })?;
    }
    let sweep = Sweep { cache, slots: &slots, leading: plan.leading, cells, room, wanted: Wanted::Pearson };
    let mut compared = 0;
    let done = sweep.run(stop, &mut |row, column, tile| {
        for ((i, j), pearson) in tile.pearson.indexed_iter() {
            let (one, other) = (row + tile.rows.start + i, column + tile.columns.start + j);
            if other > one {
                lists.offer(one, other, *pearson, order);
                compared += 1;
            }
        }
        listener.compared(compared, pairs);
        Ok(())
    })?;
    let chosen = lists.into_pairs();
    let mut fresh: Vec<(u32, u32, f64)> =
        chosen.iter().copied().filter(|(a, _, _)| (*a as usize) < plan.leading).collect();
    fresh.sort_unstable_by_key(|(a, b, _)| (*a, *b));
    let spearmans = if done { sweep.pairs(&fresh, stop)? } else { None };
    let Some(spearmans) = spearmans else {
        summary.interrupted = true;
        return Ok(());
    };
    plan.begin(desk)?;
    if plan.anew.is_none() {
        summary.removed = remove_others(plan, reader, &chosen, desk)?;
    }
    for (part, values) in fresh.chunks(ROWS).zip(spearmans.chunks(ROWS)) {
        let row = |((a, b, pearson), spearman): (&(u32, u32, f64), &f64)| {
            plan.row(*a as usize, *b as usize, *pearson, *spearman)
        };
        desk.write(CorrelationWrite::Rows(part.iter().zip(values).map(row).collect()))?;
        summary.written += part.len() as u64;
    }
    plan.mark(desk)
}

/// Takes away the stored pairs that are on nobody's list any more.
fn remove_others(
    plan: &Plan,
    reader: &Reader,
    chosen: &[(u32, u32, f64)],
    desk: &mut Desk<'_>,
) -> Result<u64, CorrelateError> {
    let (mut removed, mut gone) = (0, Vec::new());
    reader.each_correlation(|row| {
        let kept = plan.place(row.a).zip(plan.place(row.b)).is_some_and(|(a, b)| {
            let pair = (a.min(b) as u32, a.max(b) as u32);
            chosen.binary_search_by_key(&pair, |(a, b, _)| (*a, *b)).is_ok()
        });
        if !kept {
            removed += 1;
            gone.push((row.a, row.b));
        }
        Ok::<_, StoreError>(())
    })?;
    for part in gone.chunks(ROWS) {
        desk.write(CorrelationWrite::Remove(part.to_vec()))?;
    }
    Ok(removed)
}

/// The way to the store: never more than a few writes ahead of it.
struct Desk<'a> {
    store: &'a Store,
    in_flight: usize,
}

impl Desk<'_> {
    fn write(&mut self, write: CorrelationWrite) -> Result<(), CorrelateError> {
        self.wait(IN_FLIGHT)?;
        self.store.submit(Write::Correlations(write))?;
        self.in_flight += 1;
        Ok(())
    }

    /// Until at most so many writes are on their way.
    fn wait(&mut self, most: usize) -> Result<(), CorrelateError> {
        while self.in_flight > most {
            match self.store.receipts().recv().map_err(|_| StoreError::Ended)? {
                Receipt::Correlations => self.in_flight -= 1,
                Receipt::Rejected { message } => return Err(CorrelateError::Refused(message)),
                Receipt::Trouble { message, hint } => {
                    return Err(CorrelateError::Refused(format!("{message}; {hint}")));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
