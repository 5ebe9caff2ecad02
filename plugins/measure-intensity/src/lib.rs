//! measure-intensity
