//! detect-region
