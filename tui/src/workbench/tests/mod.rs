//! The whole workbench without a terminal: keys and events in, screens out.

mod alarms;
mod behaviour;
mod builds;
mod commanding;
mod dataset;
mod headless;
mod jobs;
mod look;
mod pictures;
mod plugins;
mod production;
mod reader;
mod review;
mod said;
mod sample;
mod screens;
mod training;
mod trainings;
