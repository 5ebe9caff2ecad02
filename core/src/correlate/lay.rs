//! The grids that are missing, made by workers: every picture is looked at, only new ones are decoded.

use crossbeam_channel::select;

use super::{
    Correlate, CorrelateError, Grid, Listener, Summary,
    cache::{Cache, hash_of},
    crew::{Crew, Errand, Laid},
};
use crate::{
    ids::ImageId,
    store::{Gridded, Reader},
    workspace::DatasetPaths,
};

/// Makes the grids that are missing, and gives every picture that has one, with its key.
pub(super) fn lay_all(
    settings: &Correlate,
    dataset: &DatasetPaths,
    reader: &Reader,
    cache: &mut Cache,
    stop: &dyn Fn() -> bool,
    listener: &mut dyn Listener,
    summary: &mut Summary,
) -> Result<Vec<(ImageId, u64)>, CorrelateError> {
    let count = reader.image_count()?;
    let mut all = Vec::new();
    let images = dataset.images();
    std::thread::scope(|scope| {
        let (errands, laid, hands) = Crew::start(scope, settings)?.split();
        let mut errands = Some(errands);
        let mut done = 0;
        let take = |laid: Laid, cache: &mut Cache, all: &mut Vec<_>, summary: &mut Summary| {
            match laid.cells {
                Ok(cells) => {
                    cache.add(laid.image, laid.key, &cells)?;
                    all.push((laid.image, laid.key));
                }
                Err(reason) => summary.failed.push((laid.image, reason)),
            }
            Ok::<_, CorrelateError>(())
        };
        let asked = reader.each_gridded(|picture| {
            done += 1;
            listener.gridded(done, count);
            let key = match (settings.grid, &picture.cladding) {
                (Grid::Aligned(_), None) => {
                    summary.without_fibre += 1;
                    return Ok(());
                }
                (grid, _) => key_of(grid, &picture),
            };
            if cache.get(picture.image, key).is_some() {
                all.push((picture.image, key));
                return Ok(());
            }
            if summary.interrupted || stop() {
                summary.interrupted = true;
                return Ok(());
            }
            let cladding = picture.cladding.filter(|_| matches!(settings.grid, Grid::Aligned(_)));
            let errand = Errand { image: picture.image, path: images.join(&picture.filename), cladding, key };
            let Some(errands) = &errands else { return Ok(()) };
            loop {
                select! {
                    send(errands, errand.clone()) -> sent => {
                        return sent.map_err(|_| CorrelateError::Worker(std::io::Error::other("all of them have ended")));
                    }
                    recv(laid) -> one => match one {
                        Ok(one) => take(one, cache, &mut all, summary)?,
                        Err(_) => return Err(CorrelateError::Worker(std::io::Error::other("all of them have ended"))),
                    }
                }
            }
        });
        errands = None;
        let mut rest = Ok(());
        if asked.is_ok() {
            for one in &laid {
                rest = rest.and_then(|()| take(one, cache, &mut all, summary));
            }
        }
        drop((laid, errands));
        // A worker that could not be started is the cause, and nobody to send to its consequence.
        Crew::end(hands)?;
        asked.and(rest)
    })?;
    Ok(all)
}

/// Of how a picture is laid: another outline is another grid.
fn key_of(grid: Grid, picture: &Gridded) -> u64 {
    let mut bytes = grid.to_string().into_bytes();
    if let (Grid::Aligned(_), Some(z)) = (grid, &picture.cladding) {
        bytes.extend([z.cx, z.cy, z.ax, z.by, z.angle_deg].iter().flat_map(|value| value.to_bits().to_be_bytes()));
    }
    hash_of(&bytes)
}
