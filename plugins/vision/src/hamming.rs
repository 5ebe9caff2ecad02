//! Hashes that differ in few bits, among many.

use multiversion::multiversion;

/// Hashes that are compared before it is looked whether one of them is near: nearly always none is.
const AT_ONCE: usize = 64;

/// Puts the places of those `others` into `found`, in their order, that differ from `hash` in at most `most` bits.
pub fn within(hash: &[u64; 4], others: &[[u64; 4]], most: u32, found: &mut Vec<usize>) {
    found.clear();
    let mut distances = [0; AT_ONCE];
    for (chunk, others) in others.chunks(AT_ONCE).enumerate() {
        let distances = &mut distances[..others.len()];
        if measure(hash, others, distances) <= most {
            let near = distances.iter().enumerate().filter(|(_, distance)| **distance <= most);
            found.extend(near.map(|(place, _)| chunk * AT_ONCE + place));
        }
    }
}

/// Bits in which each differs, and the least of them.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512vpopcntdq+popcnt", "x86_64+avx2+popcnt", "x86_64+popcnt"))]
fn measure(hash: &[u64; 4], others: &[[u64; 4]], distances: &mut [u32]) -> u32 {
    let mut least = u32::MAX;
    for (distance, other) in distances.iter_mut().zip(others) {
        *distance = hash.iter().zip(other).map(|(a, b)| (a ^ b).count_ones()).sum();
        least = least.min(*distance);
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_near_ones_are_found_in_their_order(
            others in prop::collection::vec(any::<[u64; 4]>(), 0..200), hash in any::<[u64; 4]>(), most in 90..140u32,
        ) {
            let plain = |other: &[u64; 4]| (0..4).map(|word| (hash[word] ^ other[word]).count_ones()).sum::<u32>() <= most;
            let expected: Vec<usize> = (0..others.len()).filter(|place| plain(&others[*place])).collect();
            let mut found = vec![7];
            within(&hash, &others, most, &mut found);
            prop_assert_eq!(found, expected);
        }
    }
}
