//! Image kernels: plain functions on slices.

pub mod ellipse;
pub mod gradient;
pub mod histogram;
pub mod outline_fit;
pub mod plane;
pub mod polar;
pub mod raster;
pub mod reduce;
pub mod runs;
