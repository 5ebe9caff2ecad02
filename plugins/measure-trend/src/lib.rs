//! measure-trend
