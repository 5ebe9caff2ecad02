//! The most alike of each picture: a short sorted list a picture, of bounded length.

use super::products::NONE;

/// Lists of the `count` best of every picture, in one piece of memory.
#[derive(Debug)]
pub(super) struct Neighbours {
    count: usize,
    /// `count` places a picture, sorted from the best; unused ones last.
    places: Vec<(f64, u32)>,
    lengths: Vec<u16>,
}

/// Bytes of a picture's list and of its pairs when they are put in order.
pub(super) fn bytes(count: u32) -> u64 {
    u64::from(count) * (16 + 2 * 24) + 2
}

impl Neighbours {
    pub fn new(pictures: usize, count: u32) -> Self {
        let count = count as usize;
        Self { count, places: vec![(NONE, u32::MAX); pictures * count], lengths: vec![0; pictures] }
    }

    /// Takes up a pair for both. `order` says which of two equally alike pictures comes first.
    pub fn offer(&mut self, a: usize, b: usize, likeness: f64, order: impl Fn(usize) -> u64 + Copy) {
        self.offer_one(a, b, likeness, order);
        self.offer_one(b, a, likeness, order);
    }

    fn offer_one(&mut self, of: usize, other: usize, likeness: f64, order: impl Fn(usize) -> u64) {
        let length = usize::from(self.lengths[of]);
        let list = &mut self.places[of * self.count..(of + 1) * self.count];
        let before =
            |place: &(f64, u32)| place.0 > likeness || (place.0 == likeness && order(place.1 as usize) < order(other));
        if length == self.count && list.last().is_some_and(before) {
            return;
        }
        let at = list[..length].partition_point(before);
        let length = (length + 1).min(self.count);
        list[at..length].rotate_right(1);
        list[at] = (likeness, other as u32);
        self.lengths[of] = length as u16;
    }

    /// Every pair that is on a list, once, as (smaller, larger) places in rising order.
    pub fn into_pairs(self) -> Vec<(u32, u32, f64)> {
        let mut pairs = Vec::with_capacity(self.lengths.iter().map(|length| usize::from(*length)).sum());
        for (of, (list, length)) in self.places.chunks(self.count).zip(&self.lengths).enumerate() {
            let of = of as u32;
            let used = list[..usize::from(*length)].iter();
            pairs.extend(used.map(|(likeness, other)| (of.min(*other), of.max(*other), *likeness)));
        }
        pairs.sort_unstable_by_key(|(a, b, _)| (*a, *b));
        pairs.dedup_by_key(|(a, b, _)| (*a, *b));
        pairs
    }
}
