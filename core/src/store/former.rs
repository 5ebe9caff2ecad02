//! What was said of an image before: the latest result of a pipeline of other builds or other parameters than the one whose
//! result stands. Called by the workbench, which draws the difference.

use super::{Judgement, Reader, StoreError, load};
use crate::{ids::ImageId, report::Inspection};

/// The result that stood before, or would have.
#[derive(Debug, Clone, PartialEq)]
pub struct Former {
    pub inspection: Inspection,
    pub generation: u64,
    /// RFC 3339, UTC.
    pub at: String,
    /// Plug-ins of that pipeline that the one of today does not have so, as `id version (build)`, slot by slot. What differs
    /// in parameters alone is among them.
    pub differing: Vec<String>,
}

impl Reader {
    /// `None` where the image was never inspected by another pipeline.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn former(&self, image: ImageId) -> Result<Option<Former>, StoreError> {
        let judgements = self.judgements(image)?;
        let Some(current) = judgements.iter().find(|judgement| judgement.current) else { return Ok(None) };
        let is_former = |it: &&Judgement| it.failure.is_none() && it.pipeline != current.pipeline;
        for former in judgements.iter().filter(is_former) {
            let Some(inspection) = load::load(self.connection(), former.inspection)? else { continue };
            let new = former.judges.iter().filter(|judge| !current.judges.contains(judge));
            let differing = new.map(|judge| format!("{} {} ({})", judge.plugin, judge.version, judge.build)).collect();
            let (generation, at) = (former.generation, former.at.clone());
            return Ok(Some(Former { inspection, generation, at, differing }));
        }
        Ok(None)
    }
}
