//! The store through its public face: real files, a real database, the real writer thread.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests end that way")]

mod admission;
mod desk;
mod division;
mod durability;
mod history;
mod killed;
mod pages;
mod results;
mod sample;
mod swaps;
mod tidy;
