//! From real numbers to whole ones inside vector loops.
//!
//! Rust's own cast saturates, which compilers turn into a branch for every lane. Called by kernels whose values are known
//! to be small.

/// 1.5 · 2^23: adding it leaves a whole number in the low bits of the mantissa.
const SHIFT: f32 = 12_582_912.0;

/// The nearest whole number, ties to even, of a value within ±2^22; of other values something of no use.
#[inline(always)]
#[must_use]
pub fn nearest(value: f32) -> i32 {
    ((value + SHIFT).to_bits() as i32).wrapping_sub(SHIFT.to_bits() as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_nearest_whole_number(value in -4.19e6..4.19e6f32) {
            prop_assert_eq!(nearest(value), value.round_ties_even() as i32);
        }
    }
}
