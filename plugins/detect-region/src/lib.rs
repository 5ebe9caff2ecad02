//! `detect-region`: pits, particles, chips and residue.
//!
//! After the family of DO2MR (Mei, Wang, Wen and Hu, Sensors 18(5):1408, 2018): what differs from its neighbourhood by
//! more than the zone's own noise. Where the paper takes the difference of a local maximum and minimum and the zone's
//! mean and deviation, this takes the residual of a flat field and a robust noise map, for those two flag a share of
//! every clean picture. It never reports outlines of zones, and nothing at all on a picture without an end face.

mod defects;
mod detector;
mod kinds;
mod point;
mod scale;
mod settings;

pub use detector::DetectRegion;

ferrule_abi::export_plugins!(detect: DetectRegion);
