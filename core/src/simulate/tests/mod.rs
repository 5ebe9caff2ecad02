//! What the simulator promises, checked on its own pictures.

mod cover;
mod figures;
mod pictures;
mod presets;
mod runs;
