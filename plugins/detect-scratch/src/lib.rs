//! `detect-scratch`: scratches, straight, curved or broken, of either polarity.
//!
//! After the linear enhancement inspector (LEI; Mei, Wang, Wen and Hu, Sensors 18(5):1408, 2018), on the flattened
//! picture in units of its noise at half its size. Ridges of the response become pieces, pieces in line with each other
//! become one scratch. It never reports circles about the fibre's middle (outlines, decoy rings), and nothing at all on
//! a picture without an end face.

mod detector;
mod pieces;
mod scratch;
mod settings;

pub use detector::DetectScratch;

ferrule_abi::export_plugins!(detect: DetectScratch);
