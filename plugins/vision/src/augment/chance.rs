//! Random numbers from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). Ten lines that never change, so that a
//! training can be repeated with every later version of any library.

/// A generator; cheap enough to make one for each picture.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 even bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly from 0 (included) to 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from `-reach` to `reach`.
    pub fn within(&mut self, reach: f64) -> f64 {
        (2.0 * self.unit() - 1.0) * reach
    }

    /// Evenly below `count`; 0 where there is nothing to choose from.
    pub fn below(&mut self, count: usize) -> usize {
        // The bias of the product is 2^-64 times the count.
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// Shuffles in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}

/// One seed out of several numbers: a run's, an epoch's, a picture's.
#[must_use]
pub fn seed_of(parts: &[u64]) -> u64 {
    parts.iter().fold(0x0F1B_E25E_ED00_0001, |seed, part| Chance::new(seed ^ part.rotate_left(17)).bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        // First outputs for seed 0 of the reference implementation.
        let mut chance = Chance::new(0);
        assert_eq!(chance.bits(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(chance.bits(), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn a_shuffle_keeps_everything_and_reaches_every_place() {
        let mut first = [0; 5];
        for seed in 0..500 {
            let mut items = [0, 1, 2, 3, 4];
            Chance::new(seed).shuffle(&mut items);
            first[items[0]] += 1;
            items.sort_unstable();
            assert_eq!(items, [0, 1, 2, 3, 4]);
        }
        assert!(first.iter().all(|count| (60..140).contains(count)), "{first:?}");
    }

    #[test]
    fn seeds_of_neighbours_have_nothing_in_common() {
        let seeds: std::collections::BTreeSet<u64> =
            (0..50).flat_map(|epoch| (0..50).map(move |item| seed_of(&[1, epoch, item]))).collect();
        assert_eq!(seeds.len(), 2500);
    }
}
