//! detect-scratch
