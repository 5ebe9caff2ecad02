//! What the simulator promises, checked on its own pictures.

mod pictures;
mod presets;
mod runs;
