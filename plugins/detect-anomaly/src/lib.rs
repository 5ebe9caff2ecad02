//! `detect-anomaly`: what deviates from a reference of clean end faces of the same kind.
//!
//! A capture is laid on the reference's grid by its fitted outlines, put into the reference's light, and compared place by
//! place; see [`ferrule_vision::reference`]. It does not say what a deviation is, only that clean captures do not show it.
//! Without a reference it finds nothing, and its attribute `reference` says `none`.

mod anomalies;
mod detector;
mod settings;

pub use detector::DetectAnomaly;

ferrule_abi::export_plugins!(detect: DetectAnomaly);
