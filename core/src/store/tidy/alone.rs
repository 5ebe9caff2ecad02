//! Tidying where no engine runs. Called by `ferrule tidy`.

use super::{Tidied, TidyPlan, TidyStep};
use crate::{
    settings::ImageLinks,
    store::{
        Receipt, Write,
        alone::{Alone, AloneError},
    },
    workspace::DatasetPaths,
};

/// Carries a plan out. `told` hears what went so far, and says whether to go on: what went is gone, the rest stays.
///
/// # Errors
/// An engine or another command has the dataset; the disk.
pub fn tidy_alone(
    paths: &DatasetPaths,
    images: ImageLinks,
    plan: TidyPlan,
    told: &mut dyn FnMut(Tidied) -> bool,
) -> Result<Tidied, AloneError> {
    Alone::take(paths)?.write(images, |write| {
        let (mut done, mut next) = (Tidied::default(), Some(Box::new(TidyStep::first(plan))));
        while let Some(step) = next.take() {
            if let Receipt::Tidied(tidying) = write(Write::Tidy(step))? {
                done.add(tidying.done);
                next = tidying.next;
            }
            if !told(done) {
                break;
            }
        }
        Ok(done)
    })
}
