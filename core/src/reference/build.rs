//! From files to a reference: inspected by the workers, selected, laid on one grid, learnt from.

use std::path::PathBuf;

use crossbeam_channel::Receiver;
use ferrule_vision::{
    reference::{
        Layout, Model,
        align::{Aligner, Capture},
        frame::Frame,
        learn::{FEWEST, learn},
    },
    usable::Usable,
};

use super::{
    LeftOut, Origin, ReferenceError, Used,
    select::{Candidate, Selection},
};
use crate::{
    decode::{self, Picture, Wanted},
    inspect::{self, Answered, Batch},
    worker::arguments::Limits,
};

/// What to build from.
#[derive(Debug)]
pub struct Build {
    pub batch: Batch,
    pub files: Vec<PathBuf>,
    /// Leave out what the pipeline does not call clean; else the person's word counts.
    pub clean_only: bool,
}

/// A reference that is not written yet.
#[derive(Debug)]
pub struct Built {
    pub model: Model,
    pub origin: Origin,
}

/// Who listens meanwhile.
pub trait Listener {
    /// So many pictures are inspected.
    fn progress(&mut self, done: u64);
    /// A line about something other than a picture: a worker that died, a plug-in set aside.
    fn remark(&mut self, remark: &str);
}

/// Builds. A message on `stop` ends it after what is in hand, without a reference.
///
/// # Errors
/// No worker, too few usable pictures, pictures of different fibres, an interruption. A picture that cannot be used is
/// left out and named in the origin.
pub fn build(build: Build, stop: &Receiver<()>, listener: &mut dyn Listener) -> Result<Built, ReferenceError> {
    let Build { batch, files, clean_only } = build;
    let (limits, pipeline) = (batch.pool.limits, batch.pipeline.id.to_string());
    let selection = Selection {
        clean_only,
        min_confidence: batch.pipeline.min_confidence,
        sources: batch.sources.clone(),
        candidates: Vec::new(),
        left_out: Vec::new(),
    };
    let mut hearer = Hearer { selection, listener, done: 0 };
    let summary = inspect::run(batch, files, stop, &mut hearer)?;
    let mut selection = hearer.selection;
    if summary.interrupted {
        return Err(ReferenceError::Interrupted);
    }
    if selection.candidates.is_empty() {
        return Err(selection.left_out.first().map_or(ReferenceError::Nothing, |first| ReferenceError::NoPicture {
            left_out: selection.left_out.len() as u64,
            first: format!("{}: {}", first.name, first.reason),
        }));
    }
    let core_ratio = selection.of_one_kind()?;
    let Selection { candidates, mut left_out, .. } = selection;
    let mut radii: Vec<f64> = candidates.iter().map(|candidate| candidate.cladding.mean_radius()).collect();
    radii.sort_by(f64::total_cmp);
    let layout = Layout::for_radius(radii.get(radii.len() / 2).copied().unwrap_or_default());
    let too_few = |usable: usize| ReferenceError::TooFew { usable, found: summary.answered as usize };
    if candidates.len() < FEWEST {
        return Err(too_few(candidates.len()));
    }
    let mut layer = Layer::default();
    let (mut used, mut aligned): (Vec<Candidate>, Vec<Vec<i16>>) = (Vec::new(), Vec::new());
    for candidate in candidates {
        if stop.try_recv().is_ok() {
            return Err(ReferenceError::Interrupted);
        }
        match layer.lay(&candidate, layout, core_ratio, &limits) {
            Some(capture) => {
                aligned.push(capture);
                used.push(candidate);
            }
            None => left_out.push(candidate.left_out("it changed while the reference was built")),
        }
    }
    let learnt = learn(&aligned, layout, core_ratio).map_err(too_few)?;
    for (place, share) in learnt.unlike.iter().rev() {
        let reason = format!("unlike the others: {:.0} % of it deviates", 100.0 * share);
        left_out.push(used.remove(*place).left_out(reason));
    }
    let origin = origin(&used, left_out, pipeline);
    Ok(Built { model: learnt.model, origin })
}

fn origin(used: &[Candidate], left_out: Vec<LeftOut>, pipeline: String) -> Origin {
    let mut origin = Origin {
        software: concat!("ferrule ", env!("CARGO_PKG_VERSION")).into(),
        built_at: jiff::Timestamp::now().to_string(),
        pipeline,
        fibre: used.iter().find_map(|candidate| candidate.fibre.clone()),
        used: used.iter().map(|it| Used { name: it.name(), image_id: it.image_id.to_string() }).collect(),
        left_out: Vec::new(),
        more_left_out: 0,
    };
    origin.leave_out(left_out);
    origin
}

struct Hearer<'a> {
    selection: Selection,
    listener: &'a mut dyn Listener,
    done: u64,
}

impl inspect::Listener for Hearer<'_> {
    fn answer(&mut self, answer: &Answered) -> bool {
        self.selection.take(answer);
        self.done += 1;
        self.listener.progress(self.done);
        true
    }

    fn remark(&mut self, remark: &str) {
        self.listener.remark(remark);
    }
}

/// Lays one picture after the other on the grid; keeps its buffers.
#[derive(Default)]
struct Layer {
    bytes: Vec<u8>,
    picture: Picture,
    labels: Vec<u8>,
    usable: Usable,
    aligner: Aligner,
}

impl Layer {
    /// `None` where the picture is no longer what was inspected.
    fn lay(&mut self, it: &Candidate, layout: Layout, core_ratio: Option<f64>, limits: &Limits) -> Option<Vec<i16>> {
        decode::read(&it.path, Some(it.image_id), limits, &mut self.bytes).ok()?;
        decode::decode(&self.bytes, Wanted::default(), limits, &mut self.picture).ok()?;
        let Picture { width, height, gray8, .. } = &self.picture;
        if (*width, *height) != (it.width, it.height) {
            return None;
        }
        let (width, height) = (*width as usize, *height as usize);
        // Only bars and the border matter here; for the rest any zone will do.
        self.labels.clear();
        self.labels.resize(width * height, 1);
        self.usable.find(gray8, &self.labels, width);
        let frame = Frame::new(&it.cladding, it.core.as_ref(), core_ratio)?;
        let mut aligned = Vec::new();
        let capture = Capture { gray: gray8, usable: &self.usable.mask, width };
        self.aligner.align(capture, &frame, layout, &mut aligned);
        Some(aligned)
    }
}
