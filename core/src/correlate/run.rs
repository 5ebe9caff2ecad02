//! What is missing, computed and brought into the database: new and changed pictures with all others, and whatever a
//! picture that is gone leaves to be found again.

use super::{
    Correlate, CorrelateError, Listener, Mode, ROW_BYTES, Summary,
    cache::Cache,
    desk::{Desk, ROWS},
    lay::lay_all,
    neighbours::{self, Neighbours},
    plan::{Entry, Plan},
    products::{NONE, Wanted},
    sweep::{Room, Sweep},
};
use crate::{
    client::Client,
    engine::lock::{self, EngineLock, Holder},
    settings::ImageLinks,
    store::{CorrelationWrite, Reader, Store, StoreError, StoreSettings},
    workspace::DatasetPaths,
};

/// Rows that `full` makes of so many pictures, and the bytes that they take in the database.
#[must_use]
pub fn estimate(pictures: u64) -> (u64, u64) {
    let rows = pictures.saturating_mul(pictures.saturating_sub(1)) / 2;
    (rows, rows.saturating_mul(ROW_BYTES))
}

/// Brings the table `correlations` of a dataset up to date: as its only writer, or with every write through the engine that
/// has it. `stop` is asked often; what was done until then is kept.
///
/// # Errors
/// See [`CorrelateError`]; a build or another command that has the dataset, too.
pub fn update(
    settings: &Correlate,
    dataset: &DatasetPaths,
    images: ImageLinks,
    stop: &dyn Fn() -> bool,
    listener: &mut dyn Listener,
) -> Result<Summary, CorrelateError> {
    if matches!(lock::holder(dataset), Ok(Some(holder)) if !holder.command) {
        let mut desk = Desk::of_engine(Client::connect(dataset)?)?;
        return run(settings, dataset, &mut desk, stop, listener);
    }
    let _lock = EngineLock::take(dataset, &Holder::of_command())?;
    let (store, _) = Store::open(dataset, StoreSettings::at_once(images))?;
    let summary = run(settings, dataset, &mut Desk::of_store(&store), stop, listener)?;
    store.close()?;
    Ok(summary)
}

/// What is missing, through a desk that nobody else has. A picture that cannot be read is in the summary.
fn run(
    settings: &Correlate,
    dataset: &DatasetPaths,
    desk: &mut Desk<'_>,
    stop: &dyn Fn() -> bool,
    listener: &mut dyn Listener,
) -> Result<Summary, CorrelateError> {
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
        Mode::Top(count) => top(settings, count, &plan, &reader, &cache, desk, stop, listener, &mut summary)?,
        Mode::Full | Mode::Off => full(settings, &plan, &cache, desk, stop, listener, &mut summary)?,
    }
    desk.wait(0)?;
    Ok(summary)
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
