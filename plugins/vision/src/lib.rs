//! Image kernels: plain functions on slices.

pub mod ellipse;
pub mod raster;
