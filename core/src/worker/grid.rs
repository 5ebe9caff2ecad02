//! The worker's side of correlations: a picture decoded and laid onto the grid that all pictures share.

use ferrule_vision::{affine::Affine, common_grid};

use super::{arguments::Limits, messages::GridJob};
use crate::{
    decode::{self, Picture, Wanted},
    report::Failure,
};

/// `side` x `side` gray levels of 8 bits, row by row.
pub(super) fn lay(job: &GridJob, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let (mut bytes, mut picture) = (Vec::new(), Picture::default());
    decode::read(&job.path, Some(job.expected), limits, &mut bytes)?;
    decode::decode(&bytes, Wanted::default(), limits, &mut picture)?;
    let affine = match &job.cladding {
        Some(cladding) => Affine::of(&cladding.into()),
        None => Affine::of_picture(picture.width, picture.height),
    };
    let (width, height) = (picture.width as usize, picture.height as usize);
    let grid = common_grid::lay(&picture.gray8, width, height, &affine, job.side as usize);
    if grid.is_empty() {
        let message = "its cladding is no ellipse".to_owned();
        return Err(Failure { stage: "grid".into(), plugin: None, message, transient: false });
    }
    Ok(grid)
}
