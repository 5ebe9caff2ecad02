//! Variations of a picture that a network learns from: where things are ([`geometry`]) and how bright they are
//! ([`light`]), drawn from a seed ([`chance`]) so that the same seed gives the same picture on any machine.
//!
//! Called by the trainer's loader threads, one square picture at a time. A mask is moved with its picture and never lit.
//! [`turn`] varies whole frames, in which the fibre may be anywhere and pixels need not be square, with their outlines.

pub mod chance;
pub mod geometry;
pub mod light;
pub mod turn;

use self::{chance::Chance, geometry::Motion, light::Light};

/// How far variations may go; zero means not at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    /// Mirror, half of the time.
    pub flip: bool,
    /// Largest turn either way, in degrees.
    pub turn_deg: f64,
    /// Turns are quarters only: nothing comes in from beyond the edge, corners stay corners, and the grain of the noise keeps
    /// its directions.
    pub quarters: bool,
    /// Largest change of size, relative.
    pub zoom: f64,
    /// Largest shift, relative to the side.
    pub shift: f64,
    /// Largest displacement of the elastic grid, in pixels.
    pub elastic_px: f64,
    /// Largest change of brightness, relative to the full range.
    pub brightness: f64,
    /// Largest change of contrast, relative.
    pub contrast: f64,
    /// Largest change of gamma, as a power of e.
    pub gamma: f64,
    /// Largest standard deviation of blur, in pixels.
    pub blur_px: f64,
    /// Largest standard deviation of noise, in gray levels.
    pub noise: f64,
    /// It is a relief: light does not change it, pixels are moved but not mixed, for that would make its noise smaller than
    /// it is where nothing was turned.
    pub relief: bool,
}

impl Reach {
    /// No variation at all.
    pub const NONE: Self = Self {
        flip: false,
        turn_deg: 0.0,
        quarters: false,
        zoom: 0.0,
        shift: 0.0,
        elastic_px: 0.0,
        brightness: 0.0,
        contrast: 0.0,
        gamma: 0.0,
        blur_px: 0.0,
        noise: 0.0,
        relief: false,
    };
}

/// Buffers of one loader thread.
#[derive(Debug, Default)]
pub struct Buffers {
    moved: Vec<u8>,
    light: light::Buffers,
}

/// Varies a square picture of `side` pixels, and the masks that it has, in place. The same `seed` does the same.
/// Does nothing to slices of another length.
pub fn vary(picture: &mut [u8], masks: &mut [&mut [u8]], side: usize, reach: &Reach, seed: u64, buffers: &mut Buffers) {
    if picture.len() != side * side || masks.iter().any(|mask| mask.len() != side * side) {
        return;
    }
    let mut chance = Chance::new(seed);
    let motion = Motion::draw(side, reach, &mut chance);
    let light = Light::draw(reach, &mut chance);
    if let Some(motion) = motion {
        buffers.moved.resize(side * side, 0);
        if reach.relief {
            motion.nearest(picture, side, &mut buffers.moved);
        } else {
            motion.smooth(picture, side, &mut buffers.moved);
        }
        picture.copy_from_slice(&buffers.moved);
        for mask in masks {
            motion.nearest(mask, side, &mut buffers.moved);
            mask.copy_from_slice(&buffers.moved);
        }
    }
    if !reach.relief {
        light.shine(picture, side, &mut chance, &mut buffers.light);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(side: usize) -> Vec<u8> {
        let mut picture = vec![20; side * side];
        for y in 10..16 {
            for x in 40..46 {
                picture[y * side + x] = 220;
            }
        }
        picture
    }

    #[test]
    fn the_same_seed_gives_the_same_picture_and_another_seed_another() {
        let reach = Reach { flip: true, turn_deg: 180.0, noise: 3.0, brightness: 0.1, ..Reach::NONE };
        let of = |seed| {
            let mut picture = dot(64);
            vary(&mut picture, &mut [], 64, &reach, seed, &mut Buffers::default());
            picture
        };
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    #[test]
    fn no_reach_changes_nothing() {
        let mut picture = dot(64);
        vary(&mut picture, &mut [], 64, &Reach::NONE, 3, &mut Buffers::default());
        assert_eq!(picture, dot(64));
    }

    #[test]
    fn a_mask_follows_its_picture() {
        let reach = Reach { flip: true, turn_deg: 180.0, elastic_px: 3.0, zoom: 0.1, shift: 0.1, ..Reach::NONE };
        let mut seen = 0;
        for seed in 0..20 {
            let (mut picture, mut mask) =
                (dot(64), dot(64).iter().map(|v| u8::from(*v > 100) * 4).collect::<Vec<u8>>());
            vary(&mut picture, &mut [&mut mask[..]], 64, &reach, seed, &mut Buffers::default());
            let differing = picture.iter().zip(&mask).filter(|(gray, class)| (**gray > 120) != (**class == 4)).count();
            assert!(differing <= 8, "seed {seed}: {differing} pixels of the mask lie elsewhere");
            assert!(mask.iter().all(|class| [0, 4].contains(class)), "classes are never mixed");
            seen += mask.iter().filter(|class| **class == 4).count();
        }
        assert!(seen > 20 * 18, "most of the dot stays in the picture");
    }
}
