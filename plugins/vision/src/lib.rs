//! Image kernels: plain functions on slices.
