//! Everything of Ferrule that is not a terminal and not a plug-in.
//!
//! Nothing here names a terminal, an environment variable or a home directory: paths and values are given.

pub mod alarm;
pub mod change;
pub mod client;
pub mod compare;
pub mod config;
pub mod control;
pub mod correlate;
pub mod dataset;
pub mod decode;
pub mod doctor;
mod draw;
pub mod engine;
pub mod evaluate;
pub mod export;
pub mod filter;
pub mod host;
pub mod ids;
pub mod ingest;
pub mod inspect;
pub mod job;
pub mod names;
pub mod pipeline;
pub mod pool;
pub mod protocol;
pub mod reference;
pub mod report;
mod ring;
pub mod scaffold;
pub mod settings;
pub mod sheet;
pub mod store;
pub mod swap;
pub mod training;
pub mod trial;
pub mod words;
pub mod worker;
pub mod workspace;

pub use ferrule_simulate as simulate;
