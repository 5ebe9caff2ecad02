//! All pairs of which the first is among the leading pictures, tile by tile, with as many grids in memory as the given
//! bytes hold: blocks of them are read from the cache again and again, and threads take tiles in turn.

use std::{
    num::NonZeroUsize,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use crossbeam_channel::bounded;

use super::{
    CorrelateError,
    block::{BESIDE, Block},
    cache::Cache,
    products::{Bench, NONE, THREAD, TILE, Tile, Wanted, spearman_of_pairs, tile},
};

/// How much of it fits into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Pictures of one block; two are held.
    pub block: NonZeroUsize,
    pub threads: usize,
}

impl Room {
    /// For pictures of so many cells within `memory` bytes, of which `taken` are used otherwise.
    pub fn within(
        memory: u64,
        taken: u64,
        cells: usize,
        threads: usize,
        pictures: usize,
    ) -> Result<Self, CorrelateError> {
        let threads = threads.max(1);
        let fixed = taken + threads as u64 * THREAD;
        let each = 2 * (cells as u64 + BESIDE);
        let fits = usize::try_from(memory.saturating_sub(fixed) / each).unwrap_or(usize::MAX);
        // Blocks smaller than a tile would read each grid for a handful of pairs.
        let least = TILE.min(pictures.max(1));
        if fits < least {
            let least = (fixed + each * least as u64).div_ceil(1 << 20);
            return Err(CorrelateError::Memory { given: memory >> 20, least, pictures: pictures as u64 });
        }
        // Whole tiles, and never more than there are.
        let block = if fits >= pictures { pictures } else { fits / TILE * TILE };
        Ok(Self { block: NonZeroUsize::new(block).unwrap_or(NonZeroUsize::MIN), threads })
    }
}

/// What a sweep is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sweep<'a> {
    pub cache: &'a Cache,
    /// Of the pictures' grids, the leading ones first.
    pub slots: &'a [u32],
    /// Pairs have at least one picture before this place.
    pub leading: usize,
    pub cells: usize,
    pub room: Room,
    pub wanted: Wanted,
}

/// The places of all pictures that a block covers.
fn blocks(of: Range<usize>, size: NonZeroUsize) -> impl Iterator<Item = Range<usize>> {
    of.clone().step_by(size.get()).map(move |start| start..(start + size.get()).min(of.end))
}

impl Sweep<'_> {
    /// Tells each tile with the places of its corner; pairs with the second picture not after the first are to be left
    /// out. Ends early, with false, once `stop` says so.
    pub fn run(
        &self,
        stop: &dyn Fn() -> bool,
        each: &mut dyn FnMut(usize, usize, &Tile) -> Result<(), CorrelateError>,
    ) -> Result<bool, CorrelateError> {
        for rows in blocks(0..self.leading, self.room.block) {
            let left = Block::load(self.cache, &self.slots[rows.clone()], self.cells)?;
            for columns in blocks(rows.start..self.slots.len(), self.room.block) {
                let second = if columns.start == rows.start && columns.end <= rows.end {
                    None
                } else {
                    Some(Block::load(self.cache, &self.slots[columns.clone()], self.cells)?)
                };
                let right = second.as_ref().unwrap_or(&left);
                let mut placed = |tile: &Tile| each(rows.start, columns.start, tile);
                if !tiles_of(self.room, self.wanted, &left, right, columns.start - rows.start, stop, &mut placed)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Spearman's coefficient of these pairs of places, which are in rising order; `None` if it was stopped.
    pub fn pairs(
        &self,
        pairs: &[(u32, u32, f64)],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<f64>>, CorrelateError> {
        let mut values = vec![NONE; pairs.len()];
        let first_of = |place: usize| pairs.partition_point(|(a, _, _)| (*a as usize) < place);
        for rows in blocks(0..self.leading, self.room.block) {
            let here = first_of(rows.start)..first_of(rows.end);
            if here.is_empty() {
                continue;
            }
            let left = Block::load(self.cache, &self.slots[rows.clone()], self.cells)?;
            for columns in blocks(rows.start..self.slots.len(), self.room.block) {
                if stop() {
                    return Ok(None);
                }
                let right = Block::load(self.cache, &self.slots[columns.clone()], self.cells)?;
                // One task for each picture on the left, with its share of the values to fill.
                let (part, out) = (&pairs[here.clone()], &mut values[here.clone()]);
                let mut tasks = Vec::new();
                let mut rest = out;
                for same in part.chunk_by(|one, other| one.0 == other.0) {
                    let (mine, others) = rest.split_at_mut(same.len());
                    tasks.push((same, mine));
                    rest = others;
                }
                let tasks = Mutex::new(tasks);
                let work = || {
                    let mut bench = Vec::new();
                    let take = || tasks.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    while let Some((same, values)) = take() {
                        let row = same[0].0 as usize - rows.start;
                        let place = |at: usize| same[at].1 as usize;
                        let inside = (0..same.len()).filter(|at| columns.contains(&place(*at)));
                        let inside = inside.map(|at| (at, place(at) - columns.start));
                        spearman_of_pairs(&mut bench, (&left, row), &right, inside, |at, value| values[at] = value);
                    }
                };
                thread::scope(|scope| {
                    for _ in 1..self.room.threads {
                        let builder = thread::Builder::new().name("correlate".into());
                        builder.spawn_scoped(scope, work).map_err(CorrelateError::Thread)?;
                    }
                    work();
                    Ok::<_, CorrelateError>(())
                })?;
            }
        }
        Ok(Some(values))
    }
}

/// All tiles of two blocks; the second begins `ahead` places after the first. False if it was stopped.
pub(super) fn tiles_of(
    room: Room,
    wanted: Wanted,
    left: &Block,
    right: &Block,
    ahead: usize,
    stop: &dyn Fn() -> bool,
    each: &mut dyn FnMut(&Tile) -> Result<(), CorrelateError>,
) -> Result<bool, CorrelateError> {
    let one = NonZeroUsize::new(TILE).unwrap_or(NonZeroUsize::MIN);
    let mut tasks = Vec::new();
    for rows in blocks(0..left.len(), one) {
        let after = |columns: &Range<usize>| columns.end + ahead > rows.start + 1;
        tasks.extend(blocks(0..right.len(), one).filter(after).map(|columns| (rows.clone(), columns)));
    }
    let (next, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (done, tiles) = bounded::<Tile>(room.threads);
    thread::scope(|scope| {
        let mut result = Ok(true);
        for _ in 0..room.threads {
            let (done, tasks, next, ended) = (done.clone(), &tasks, &next, &ended);
            let work = move || {
                let mut bench = Bench::default();
                while !ended.load(Ordering::Relaxed)
                    && let Some((rows, columns)) = tasks.get(next.fetch_add(1, Ordering::Relaxed))
                    && done.send(tile(&mut bench, (left, rows.clone()), (right, columns.clone()), wanted)).is_ok()
                {
                }
            };
            let spawned = thread::Builder::new().name("correlate".into()).spawn_scoped(scope, work);
            if let Err(error) = spawned {
                ended.store(true, Ordering::Relaxed);
                result = Err(CorrelateError::Thread(error));
                break;
            }
        }
        drop(done);
        for tile in &tiles {
            if matches!(result, Ok(true)) {
                result = each(&tile).map(|()| true);
                if stop() {
                    result = result.and(Ok(false));
                }
            }
            // The others are let through, so that nobody waits to hand one over.
            ended.fetch_or(!matches!(result, Ok(true)), Ordering::Relaxed);
        }
        result
    })
}
