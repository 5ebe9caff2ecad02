//! The supervisor against a worker that misbehaves on order: the real processes, sockets and signals, no plug-ins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod batch;
mod bench;
mod crashes;
mod fake;
mod life;
mod swaps;
