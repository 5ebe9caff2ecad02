//! What the simulator promises, checked on its own pictures.

#[expect(dead_code, reason = "the measuring half waits for the coverage test")]
mod figures;
mod pictures;
mod presets;
mod runs;
