//! How bad a defect is, from 0 (negligible) to 4 (critical): one rule for all detectors.
//!
//! Points, in steps that double: the size in micrometres (across a scratch, diameter else), the contrast in standard
//! deviations of the noise, and the zone. More of any of them never makes it less severe; a test holds that.
//! IEC 61300-3-35 sets its limits by zone and size; this is not grading, it only ranks.

/// Where a defect lies, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Ferrule,
    Adhesive,
    Cladding,
    Core,
}

impl Place {
    /// The place of a label map's value: 1 core, 2 cladding, 3 adhesive, anything else ferrule.
    #[must_use]
    pub const fn of_label(label: u8) -> Self {
        match label {
            1 => Self::Core,
            2 => Self::Cladding,
            3 => Self::Adhesive,
            _ => Self::Ferrule,
        }
    }
}

/// Level from 0 to 4. `size_um` is the width of a scratch, the diameter of anything else; `contrast_sigma` the peak.
#[must_use]
pub fn level(size_um: f64, contrast_sigma: f64, place: Place) -> usize {
    // A 2 µm spot (the smallest that IEC 61300-3-35 counts) at 8 sigma on the ferrule has no points.
    let size = (size_um.max(0.25) / 2.0).log2();
    let contrast = 0.5 * (contrast_sigma.max(1.0) / 8.0).log2();
    let place = match place {
        Place::Ferrule => 0.0,
        Place::Adhesive => 0.5,
        Place::Cladding => 1.5,
        Place::Core => 3.0,
    };
    let points: f64 = size + contrast + place;
    match points {
        p if p < 0.75 => 0,
        p if p < 1.75 => 1,
        p if p < 3.0 => 2,
        p if p < 4.25 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACES: [Place; 4] = [Place::Ferrule, Place::Adhesive, Place::Cladding, Place::Core];

    proptest! {
        #[test]
        fn bigger_stronger_or_closer_to_the_core_is_never_less_severe(
            size in 0.0..200.0f64, more in 0.0..50.0f64, contrast in 0.0..100.0f64, stronger in 0.0..50.0f64,
            place in 0..4usize, closer in 0..4usize,
        ) {
            let (near, far) = (PLACES[place.max(closer)], PLACES[place.min(closer)]);
            prop_assert!(level(size + more, contrast + stronger, near) >= level(size, contrast, far));
        }
    }

    #[test]
    fn the_ends_of_the_scale_are_reached() {
        assert_eq!(level(1.0, 6.0, Place::Ferrule), 0);
        assert_eq!(level(10.0, 20.0, Place::Core), 4);
    }
}
