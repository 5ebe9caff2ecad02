//! What stands out of a clean end face, in units of the noise there: a faint scratch is a few gray levels of 255, and the
//! outlines of core and cladding a hundred, so a network that is shown gray levels learns the outlines.
//!
//! The flattened picture ([`crate::flatten`]) over its local noise, as gray levels around [`MIDDLE`]. The same for training
//! and for judging. Called by core, which fills the feed, and by the plug-ins on libtorch.

use crate::{
    flatten::{Flattener, Least, NOISE_UNIT, SLACK, Scene, UNIT},
    frame::{Beyond, Frame},
    severity::Place,
    usable::Usable,
};

/// The level of what is as it should be, and of what cannot be told.
pub const MIDDLE: u8 = 128;
/// Gray levels a standard deviation of the noise: 5.3 of them fill the scale.
pub const SIGMA: f32 = 24.0;
/// Noise in gray levels below that is their rounding.
const LEAST: f32 = 0.3;
/// The most that a square's levels are widened after the mean over its pixels has made the noise smaller.
const MOST_GAIN: f32 = 8.0;

/// What becomes of the outlines of core and cladding, which a fit never meets exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlines {
    /// What lies around them counts as little as their worst place, that they look like nothing.
    Damped,
    /// Each distance counts by its own noise. Damped, a chip at the cladding's edge is half as strong as it is: for who is
    /// shown the zones as well.
    Kept,
}

impl Outlines {
    const fn slack(self) -> usize {
        match self {
            Self::Damped => SLACK,
            Self::Kept => 0,
        }
    }
}

/// Levels of a plane of zones: what a relief has taken away, and where a chip can be.
pub const ZONES: [u8; 3] = [176, MIDDLE, 80];

/// In which zone each pixel of a square lies: core, cladding, and everything around them, soft where they meet.
#[must_use]
pub fn zones(labels: &[u8], width: usize, frame: &Frame) -> Vec<u8> {
    let level = |label: &u8| match Place::of_label(*label) {
        Place::Core => ZONES[0],
        Place::Cladding => ZONES[1],
        Place::Adhesive | Place::Ferrule => ZONES[2],
    };
    if labels.is_empty() {
        return vec![ZONES[2]; frame.side * frame.side];
    }
    frame.cut(&labels.iter().map(level).collect::<Vec<u8>>(), width, Beyond::Level(ZONES[2]))
}

/// Two planes as one, pixel by pixel: channels last, as networks take them.
#[must_use]
pub fn interleaved(picture: &[u8], zones: &[u8]) -> Vec<u8> {
    picture.iter().zip(zones).flat_map(|(level, zone)| [*level, *zone]).collect()
}

/// Buffers for one picture after the other, and the relief of the last.
#[derive(Debug, Clone, Default)]
pub struct Relief {
    usable: Usable,
    flattener: Flattener,
    residual: Vec<i16>,
    noise: Vec<i16>,
    levels: Vec<u8>,
}

/// What a relief is made of: a gray picture, and what the segmentation says of it.
#[derive(Debug, Clone, Copy)]
pub struct Segmented<'a> {
    pub gray: &'a [u8],
    pub width: usize,
    /// A pixel each; 0 where there is no zone.
    pub labels: &'a [u8],
    pub cladding: Option<crate::ellipse::Ellipse>,
    pub core: Option<crate::ellipse::Ellipse>,
}

impl Relief {
    /// The relief of a picture, a level a pixel.
    pub fn of(&mut self, picture: &Segmented<'_>, outlines: Outlines) -> &[u8] {
        let Self { usable, flattener, residual, noise, levels } = self;
        let &Segmented { gray, width, labels, cladding, core } = picture;
        levels.clear();
        levels.resize(gray.len(), MIDDLE);
        if width == 0 || labels.len() != gray.len() || labels.iter().all(|label| *label == 0) {
            return levels;
        }
        usable.find(gray, labels, width);
        let scene = Scene { width, height: gray.len() / width, usable: &usable.mask, cladding, core };
        flattener.flatten(gray, &scene, residual);
        let least = Least { floor: LEAST * f32::from(UNIT), slack: outlines.slack() };
        flattener.noise(residual, &scene, least, noise, |_, _| ());
        let scale = SIGMA * f32::from(NOISE_UNIT);
        for ((level, residual), noise) in levels.iter_mut().zip(&*residual).zip(&*noise) {
            *level = around_middle(scale * f32::from(*residual) / f32::from((*noise).max(1)));
        }
        levels
    }

    /// The relief inside a square, its noise at [`SIGMA`] again where the square is coarser than the picture.
    pub fn square(&mut self, picture: &Segmented<'_>, frame: &Frame, outlines: Outlines) -> Vec<u8> {
        self.of(picture, outlines);
        let mut square = frame.cut(&self.levels, picture.width, Beyond::Level(MIDDLE));
        let gain = gain(&square);
        square.iter_mut().for_each(|level| *level = around_middle(gain * (f32::from(*level) - f32::from(MIDDLE))));
        square
    }
}

fn around_middle(off: f32) -> u8 {
    (f32::from(MIDDLE) + off + 0.5).clamp(0.0, 255.0) as u8
}

/// What brings the median deviation of all but the middle to [`SIGMA`].
fn gain(square: &[u8]) -> f32 {
    let mut counts = [0_usize; 129];
    square.iter().for_each(|level| counts[usize::from(level.abs_diff(MIDDLE))] += 1);
    let half = counts[1..].iter().sum::<usize>() / 2;
    let mut below = 0;
    for (off, count) in counts.iter().enumerate().skip(1) {
        if below + count > half {
            // Inside the step, for at a small noise a step is a large part of it.
            let median = off as f32 - 0.5 + (half - below) as f32 / *count as f32;
            return (0.6745 * SIGMA / median).clamp(1.0, MOST_GAIN);
        }
        below += count;
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Part;
    use crate::{augment::chance::Chance, ellipse::Ellipse};

    const SIDE: usize = 256;

    /// A bright ferrule, a darker fibre, noise of that deviation, and a spot of so many deviations on the fibre.
    fn picture(noise: f64, sigmas: f64) -> Vec<u8> {
        let mut chance = Chance::new(3);
        let spot = |x: usize, y: usize| (100..104).contains(&x) && (120..124).contains(&y);
        (0..SIDE * SIDE)
            .map(|at| {
                let (x, y) = (at % SIDE, at / SIDE);
                let inside = (x as f64 - 128.0).hypot(y as f64 - 128.0) < 62.0;
                let deviate = (0..12).map(|_| chance.unit()).sum::<f64>() - 6.0;
                let light = if inside { 80.0 } else { 180.0 } - 0.1 * x as f64;
                (light + noise * (deviate + if spot(x, y) { sigmas } else { 0.0 }) + 0.5) as u8
            })
            .collect()
    }

    fn segmented(gray: &[u8]) -> Segmented<'_> {
        static LABELS: [u8; SIDE * SIDE] = [3; SIDE * SIDE];
        let cladding = Ellipse { cx: 128.0, cy: 128.0, ax: 62.0, by: 62.0, angle_deg: 0.0 };
        Segmented { gray, width: SIDE, labels: &LABELS, cladding: Some(cladding), core: None }
    }

    fn mean(levels: &[u8], width: usize, x: std::ops::Range<usize>, y: std::ops::Range<usize>) -> f64 {
        let count = (x.len() * y.len()) as f64;
        y.flat_map(|y| x.clone().map(move |x| y * width + x)).map(|at| f64::from(levels[at])).sum::<f64>() / count
    }

    #[test]
    fn a_faint_spot_stands_out_alike_whatever_the_noise_and_the_fibres_outline_does_not() {
        for noise in [1.0, 3.0] {
            let gray = picture(noise, 4.0);
            let mut relief = Relief::default();
            let levels = relief.of(&segmented(&gray), Outlines::Damped);
            let spot = mean(levels, SIDE, 100..104, 120..124) - 128.0;
            assert!((60.0..125.0).contains(&spot), "noise {noise}: {spot}");
            let strong = levels.iter().filter(|level| level.abs_diff(MIDDLE) > 120).count();
            assert!(strong < 16, "noise {noise}: {strong} pixels stand out beside the spot");
        }
    }

    #[test]
    fn a_chip_at_an_outline_that_is_off_its_fit_stands_out_for_who_is_shown_zones() {
        // The fibre is drawn half a pixel larger than its fit, and has a notch in its edge.
        let mut gray = picture(2.0, 0.0);
        let fit = Ellipse { ax: 61.5, by: 61.5, ..segmented(&[]).cladding.unwrap() };
        (66..69).for_each(|y| (125..131).for_each(|x| gray[y * SIDE + x] -= 9));
        let strength = |outlines| {
            let mut relief = Relief::default();
            let levels = relief.of(&Segmented { cladding: Some(fit), ..segmented(&gray) }, outlines);
            (128.0 - mean(levels, SIDE, 125..131, 66..69)) / f64::from(SIGMA)
        };
        let (damped, kept) = (strength(Outlines::Damped), strength(Outlines::Kept));
        assert!(kept > 1.5 && kept > 1.4 * damped, "{damped} and {kept} deviations");
    }

    #[test]
    fn a_coarser_square_has_the_same_noise() {
        let gray = picture(2.0, 0.0);
        let square = Relief::default().square(&segmented(&gray), &Frame::whole(SIDE, SIDE, 1.0, 96), Outlines::Damped);
        let size = square.iter().map(|level| (f64::from(*level) - 128.0).powi(2)).sum::<f64>() / square.len() as f64;
        assert!((18.0..30.0).contains(&size.sqrt()), "{}", size.sqrt());
    }

    #[test]
    fn a_picture_without_zones_or_without_noise_is_flat() {
        let mut relief = Relief::default();
        let gray = picture(2.0, 4.0);
        let nowhere = Segmented { labels: &[0; SIDE * SIDE], cladding: None, ..segmented(&gray) };
        assert!(relief.of(&nowhere, Outlines::Damped).iter().all(|level| *level == MIDDLE));
        let even = vec![77; SIDE * SIDE];
        let even = Segmented { cladding: None, ..segmented(&even) };
        assert!(
            relief
                .square(&even, &Frame::whole(SIDE, SIDE, 1.0, 64), Outlines::Kept)
                .iter()
                .all(|level| *level == MIDDLE)
        );
    }

    #[test]
    fn zones_are_levels_and_soft_where_they_meet() {
        let labels: Vec<u8> = (0..64 * 64).map(|at| [4, 2, 1, 1][at % 64 / 16]).collect();
        let frame = Frame::of(Part::Whole, 32, (64, 64), Some(1.0), None).unwrap();
        let plane = zones(&labels, 64, &frame);
        assert_eq!([plane[3], plane[12], plane[20], plane[31]], [ZONES[2], ZONES[1], ZONES[0], ZONES[0]]);
        assert!(plane.iter().all(|level| (ZONES[2]..=ZONES[0]).contains(level)));
        assert_eq!(zones(&[], 64, &frame), [ZONES[2]; 32 * 32], "nothing is known of it");
        assert_eq!(interleaved(&[1, 2], &[3, 4]), [1, 3, 2, 4]);
    }
}
