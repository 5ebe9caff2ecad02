//! Image kernels: plain functions on slices.

pub mod cholesky;
pub mod components;
pub mod direct_fit;
pub mod ellipse;
pub mod fibre;
pub mod flatten;
pub mod gradient;
pub mod grid;
pub mod histogram;
pub mod hysteresis;
pub mod lines;
pub mod noise;
pub mod order;
pub mod outline_fit;
pub mod plane;
pub mod polar;
pub mod raster;
pub mod reduce;
pub mod reference;
pub mod round;
pub mod runs;
pub mod severity;
pub mod shape;
pub mod smooth;
pub mod surface;
pub mod usable;
