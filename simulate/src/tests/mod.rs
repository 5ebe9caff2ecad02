//! What the simulator promises, checked on its own pictures.

mod cover;
mod figures;
mod outlines;
mod pictures;
mod presets;
mod runs;
mod texture;
