//! What becomes of a changed pipeline: it is written down, put to the workers, and in force or refused when they say so.
//! Every attempt ends as a row of the swap log, those of libraries that were not let in too.

use std::{path::PathBuf, time::Duration};

use super::state::Engine;
use crate::{
    host::Refusal,
    ids::PipelineId,
    names,
    pool::AfterRefusal,
    store::{LibraryRefusal, PipelineChange, SwapEnd, Write},
    swap::SwapOutcome,
    worker::messages::Pipeline,
};

/// Pipelines by generation, as far as one of them may yet be what is in force.
#[derive(Debug, Default)]
pub(super) struct Swaps {
    /// Oldest first. Workers run or load the last one; the others are there to go back to.
    recent: Vec<(u64, Pipeline)>,
    /// Libraries that the last look refused: what it finds again is no news.
    refusals: Vec<Refusal>,
    /// What workers refused last: not tried again until a file has changed.
    refused: Option<PipelineId>,
    /// A look has been taken up; before, everything belongs to the engine's start.
    looked: bool,
}

impl Swaps {
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.recent.last().map(|(_, pipeline)| pipeline)
    }

    pub fn generation(&self) -> u64 {
        self.recent.last().map_or(0, |(generation, _)| *generation)
    }

    /// What workers refused, and would again.
    pub fn refused(&self) -> Option<&PipelineId> {
        self.refused.as_ref()
    }

    /// Something changed that may have been the reason of a refusal.
    pub fn try_again(&mut self) {
        self.refused = None;
    }

    /// Files that parameters of that generation's pipeline name.
    fn files_of(&self, generation: u64) -> Vec<PathBuf> {
        let pipeline = self.recent.iter().find(|(number, _)| *number == generation).map(|(_, pipeline)| pipeline);
        pipeline.map_or_else(Vec::new, Pipeline::files)
    }

    /// All workers run this one: none before it comes back.
    fn settled(&mut self, generation: u64) {
        self.recent.retain(|(number, _)| *number >= generation);
    }

    /// Workers went back to `kept`, unless a newer one than the refused is on its way to them already.
    fn back_to(&mut self, kept: u64, refused: u64) {
        if self.generation() == refused {
            self.refused = self.pipeline().map(|pipeline| pipeline.id.clone());
            self.recent.retain(|(number, _)| *number <= kept);
        } else {
            self.recent.retain(|(number, _)| *number != refused);
        }
    }
}

impl Engine {
    /// Puts a pipeline to the workers; the first one starts them.
    pub fn begin_swap(&mut self, pipeline: Pipeline, reason: &str) {
        self.generation += 1;
        let generation = self.generation;
        let reason = if self.reload.pipeline().is_some() { reason } else { "start" };
        let change = PipelineChange { pipeline: pipeline.clone(), generation, reason: reason.into() };
        // Before any result of it: results name their pipeline by a foreign key.
        self.store_write(Write::Pipeline(Box::new(change)));
        self.log(tracing::Level::INFO, format!("generation {generation}: pipeline {} ({reason})", pipeline.id));
        self.reload.swaps.recent.push((generation, pipeline.clone()));
        match &self.pool {
            Some(pool) => pool.replace(pipeline, generation),
            None => self.start_pool(),
        }
        self.queue.look_from_the_start();
        self.dirty = true;
    }

    /// All workers run it.
    pub fn swapped(&mut self, generation: u64, took: Duration) {
        self.reload.swaps.settled(generation);
        self.reload.swaps.try_again();
        let files = self.reload.swaps.files_of(generation);
        let (outcome, took_ms) = (SwapOutcome::InForce, Some(took.as_secs_f64() * 1e3));
        self.store_write(Write::SwapEnd(SwapEnd { generation, outcome, refusal: None, took_ms, files }));
    }

    /// Workers cannot load it.
    pub fn swap_refused(&mut self, generation: u64, refusal: String, then: AfterRefusal) {
        if let AfterRefusal::Kept { generation: kept } = then {
            self.reload.swaps.back_to(kept, generation);
        }
        let refusal = Some(names::visible(&refusal).into_owned());
        let outcome = SwapOutcome::Refused;
        self.store_write(Write::SwapEnd(SwapEnd { generation, outcome, refusal, took_ms: None, files: Vec::new() }));
    }

    /// Writes down libraries that were refused and were not refused just so before.
    pub fn record_refusals(&mut self, refused: &[Refusal]) {
        let swaps = &mut self.reload.swaps;
        let reason = if std::mem::replace(&mut swaps.looked, true) { "plug-ins" } else { "start" };
        let before = std::mem::replace(&mut swaps.refusals, refused.to_vec());
        for refusal in refused.iter().filter(|refusal| !before.contains(refusal)) {
            self.store_write(Write::Refused(LibraryRefusal {
                library: names::display(&refusal.path),
                build: refusal.build.clone(),
                reason: reason.into(),
                refusal: names::visible(&refusal.reason).into_owned(),
            }));
        }
    }
}
