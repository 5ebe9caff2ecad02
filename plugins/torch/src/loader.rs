//! Batches, made ahead: threads take pictures out of the mapped feed, vary them, and wait when the queue is full.
//!
//! Batch after batch in order, whatever the number of threads: thread k makes batches k, k + n, …, and the taker asks the
//! threads in turn. A variation depends on run, epoch and place only. Plain bytes; never a tensor.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread::{self, JoinHandle},
};

use ferrule_vision::{
    augment::{
        Buffers, Reach,
        chance::{Chance, seed_of},
        vary,
    },
    feed::{Feed, Item},
    relief::interleaved,
};
use memmap2::Mmap;

/// Batches ready in each thread's queue.
const AHEAD: usize = 2;

/// How often a part is one around a defect, of a picture that has any: clean pictures show enough of what is none, and a
/// part without a defect teaches no kind.
const AROUND: f64 = 0.875;

/// One batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Places in the list of samples.
    pub samples: Vec<usize>,
    /// Pixels a side of each picture.
    pub side: usize,
    /// One picture after the other, channels last.
    pub pictures: Vec<u8>,
    pub channels: usize,
    /// Classes of pixels, where the feed has them.
    pub classes: Vec<u8>,
}

/// What an epoch is to see.
#[derive(Debug, Clone)]
pub struct Epoch {
    /// (place in the list of samples, item of the feed), in order.
    pub order: Vec<(usize, usize)>,
    pub batch: usize,
    pub reach: Reach,
    /// Pixels a side of the part of a picture that is shown, as good as always around a defect of a kind drawn from those
    /// in it; 0 for all of it.
    pub part: usize,
    /// Of the run and the epoch.
    pub seed: u64,
}

/// Running loader threads; they end when this is dropped.
#[derive(Debug)]
pub struct Loader {
    queues: Vec<Option<Receiver<Batch>>>,
    threads: Vec<JoinHandle<()>>,
    next: usize,
    batches: usize,
}

impl Loader {
    /// Starts `threads` of them over a feed that was checked.
    ///
    /// # Errors
    /// No thread.
    pub fn start(feed: &Arc<Mmap>, epoch: &Epoch, threads: usize) -> std::io::Result<Self> {
        let batches = epoch.order.len().div_ceil(epoch.batch.max(1));
        let count = threads.clamp(1, batches.max(1));
        let (mut queues, mut running) = (Vec::new(), Vec::new());
        for first in 0..count {
            let (sender, queue) = sync_channel(AHEAD);
            let (feed, epoch) = (Arc::clone(feed), epoch.clone());
            let work = move || {
                let Ok(feed) = Feed::of(&feed) else { return };
                let mut buffers = Buffers::default();
                let chunks = epoch.order.chunks(epoch.batch.max(1)).enumerate();
                for (number, chunk) in chunks.skip(first).step_by(count) {
                    if sender.send(make(&feed, chunk, number, &epoch, &mut buffers)).is_err() {
                        return;
                    }
                }
            };
            running.push(thread::Builder::new().name(format!("loader-{first}")).spawn(work)?);
            queues.push(Some(queue));
        }
        Ok(Self { queues, threads: running, next: 0, batches })
    }

    /// Batches an epoch.
    #[must_use]
    pub const fn batches(&self) -> usize {
        self.batches
    }
}

impl Iterator for Loader {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let place = self.next % self.queues.len().max(1);
        self.next += 1;
        self.queues.get(place)?.as_ref()?.recv().ok()
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        // Nobody takes any more: who waits in a full queue goes on, and ends.
        self.queues.iter_mut().for_each(|queue| *queue = None);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn make(feed: &Feed<'_>, chunk: &[(usize, usize)], number: usize, epoch: &Epoch, buffers: &mut Buffers) -> Batch {
    let shape = feed.shape;
    let side = if epoch.part == 0 { shape.side } else { epoch.part.min(shape.side) };
    let channels = if shape.planes == 3 { 2 } else { 1 };
    let mut batch = Batch { samples: Vec::with_capacity(chunk.len()), side, channels, ..Batch::default() };
    batch.pictures.reserve(side * side * channels * chunk.len());
    let (mut whole, mut around, mut mask) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (sample, item)) in chunk.iter().enumerate() {
        batch.samples.push(*sample);
        let Item { picture, zones, classes } = feed.item(*item);
        whole.clear();
        whole.extend_from_slice(picture);
        around.clear();
        around.extend_from_slice(zones.unwrap_or_default());
        mask.clear();
        mask.extend_from_slice(classes.unwrap_or_default());
        // Of the place: a balanced epoch may show a picture twice, and not twice the same.
        let seed = seed_of(&[epoch.seed, number as u64, place as u64]);
        if epoch.reach != Reach::NONE {
            let mut moved: Vec<&mut [u8]> = [&mut around[..], &mut mask[..]].into();
            moved.retain(|plane| !plane.is_empty());
            vary(&mut whole, &mut moved, shape.side, &epoch.reach, seed, buffers);
        }
        let corner = corner(&mask, shape.side, side, &mut Chance::new(seed_of(&[seed, 1])));
        if zones.is_some() {
            lay(&interleaved(&whole, &around), shape.side, channels, corner, side, &mut batch.pictures);
        } else {
            lay(&whole, shape.side, channels, corner, side, &mut batch.pictures);
        }
        if classes.is_some() {
            lay(&mask, shape.side, 1, corner, side, &mut batch.classes);
        }
    }
    batch
}

/// Column and row where a part of `side` pixels begins: [`AROUND`] of the time one that shows a defect, if there is any.
fn corner(classes: &[u8], whole: usize, side: usize, chance: &mut Chance) -> (usize, usize) {
    let free = whole - side;
    if free == 0 {
        return (0, 0);
    }
    let anywhere = (chance.below(free + 1), chance.below(free + 1));
    let around_defect = chance.unit() < AROUND;
    let mut counts = [0_usize; 256];
    classes.iter().for_each(|class| counts[usize::from(*class)] += 1);
    let there: Vec<usize> = (1..counts.len()).filter(|class| counts[*class] > 0).collect();
    if !around_defect || there.is_empty() {
        return anywhere;
    }
    // A class first, then a pixel of it: a pit has a hundredth of a smear's.
    let class = there[chance.below(there.len())];
    let wanted = chance.below(counts[class]);
    let mut places = classes.iter().enumerate().filter(|(_, there)| usize::from(**there) == class).map(|(at, _)| at);
    let Some(at) = places.nth(wanted) else { return anywhere };
    let mut begin = |at: usize| at.saturating_sub(chance.below(side)).min(free);
    (begin(at % whole), begin(at / whole))
}

/// A part of a plane, whose pixels have that many `channels`.
fn lay(plane: &[u8], whole: usize, channels: usize, (left, top): (usize, usize), side: usize, onto: &mut Vec<u8>) {
    let rows = plane.chunks_exact((whole * channels).max(1)).skip(top).take(side);
    rows.for_each(|row| onto.extend_from_slice(&row[left * channels..(left + side) * channels]));
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use ferrule_vision::feed::Shape;

    use super::*;

    fn feed(items: usize) -> Arc<Mmap> {
        let shape = Shape { side: 8, planes: 2, items };
        let mut file = tempfile::tempfile().unwrap();
        let mut bytes = shape.head().to_vec();
        bytes.extend((0..items).flat_map(|item| [vec![item as u8; 64], vec![(item % 3) as u8; 64]].concat()));
        bytes.extend([0; 32]);
        file.write_all(&bytes).unwrap();
        // SAFETY: nobody else has the file.
        Arc::new(unsafe { Mmap::map(&file) }.unwrap())
    }

    fn epoch(items: usize, reach: Reach) -> Epoch {
        Epoch { order: (0..items).rev().map(|item| (100 + item, item)).collect(), batch: 3, reach, part: 0, seed: 4 }
    }

    #[test]
    fn batches_come_in_order_and_are_the_same_whatever_the_number_of_threads() {
        let (feed, epoch) = (feed(10), epoch(10, Reach { flip: true, noise: 9.0, turn_deg: 20.0, ..Reach::NONE }));
        let all = |threads| Loader::start(&feed, &epoch, threads).unwrap().collect::<Vec<_>>();
        let one = all(1);
        assert_eq!(one.iter().map(|batch| batch.samples.len()).collect::<Vec<_>>(), [3, 3, 3, 1]);
        assert_eq!(one[0].samples, [109, 108, 107]);
        for threads in 2..6 {
            assert_eq!(all(threads), one, "{threads} threads");
        }
    }

    #[test]
    fn a_part_of_a_picture_has_its_part_of_the_mask_and_shows_a_defect_as_good_as_always() {
        let (whole, side) = (40, 10);
        let mut classes = vec![0; whole * whole];
        (31..34).for_each(|y| classes[y * whole + 5..y * whole + 9].fill(2));
        let places: Vec<u8> = (0..whole * whole).map(|at| (at / whole + at % whole) as u8).collect();
        let mut chance = Chance::new(3);
        let mut showing = 0;
        for _ in 0..200 {
            let corner = corner(&classes, whole, side, &mut chance);
            let (mut part, mut mask) = (Vec::new(), Vec::new());
            lay(&places, whole, 1, corner, side, &mut part);
            lay(&classes, whole, 1, corner, side, &mut mask);
            assert_eq!((part.len(), mask.len()), (side * side, side * side));
            assert_eq!(usize::from(part[0]), corner.0 + corner.1);
            assert_eq!(mask[0], classes[corner.1 * whole + corner.0]);
            showing += usize::from(mask.contains(&2));
        }
        assert!((165..200).contains(&showing), "{showing} of 200");
    }

    #[test]
    fn zones_lie_beside_their_pixels_however_the_picture_was_moved() {
        let (side, items) = (12, 4);
        let mut file = tempfile::tempfile().unwrap();
        let mut bytes = Shape { side, planes: 3, items }.head().to_vec();
        for item in 0..items {
            let picture: Vec<u8> = (0..side * side).map(|at| (at + item) as u8).collect();
            let zones: Vec<u8> = picture.iter().map(|level| level / 3).collect();
            let classes: Vec<u8> = picture.iter().map(|level| level % 2).collect();
            bytes.extend([picture, zones, classes].concat());
        }
        bytes.extend([0; 32]);
        file.write_all(&bytes).unwrap();
        // SAFETY: nobody else has the file.
        let feed = Arc::new(unsafe { Mmap::map(&file) }.unwrap());
        let reach = Reach { flip: true, turn_deg: 180.0, quarters: true, relief: true, ..Reach::NONE };
        for part in [0, 5] {
            let epoch = Epoch { order: (0..items).map(|item| (item, item)).collect(), batch: 4, reach, part, seed: 9 };
            let batch = Loader::start(&feed, &epoch, 1).unwrap().next().unwrap();
            assert_eq!((batch.channels, batch.pictures.len()), (2, 2 * batch.side * batch.side * items));
            let pixels = batch.pictures.as_chunks::<2>().0.iter().zip(&batch.classes);
            assert!(pixels.clone().all(|([level, zone], class)| level / 3 == *zone && level % 2 == *class));
            assert_eq!(pixels.count(), batch.side * batch.side * items);
        }
    }

    #[test]
    fn a_loader_that_is_dropped_early_ends_its_threads() {
        let mut loader = Loader::start(&feed(100), &epoch(100, Reach::NONE), 3).unwrap();
        assert_eq!(loader.next().unwrap().pictures[..2], [99, 99]);
        drop(loader);
    }
}
