//! `ferrule plugin log`: every swap that was tried and every library that was refused, the newest last.

use clap::Args;
use ferrule_core::{
    ids::PipelineId,
    store::Reader,
    swap::{Change, Swap},
};

use crate::{failure::Failure, output::Output, place::Place};

/// Show every swap that was tried: what changed, how it ended, how long it took
#[derive(Debug, Args)]
pub struct Log {
    #[command(flatten)]
    place: Place,
    /// Only the newest
    #[arg(long, value_name = "N", default_value_t = 1000)]
    last: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Log {
    pub fn run(self) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let reader = Reader::open(&dataset).map_err(Failure::wrong)?;
        let mut output = Output::new();
        for swap in reader.swaps(self.last).map_err(Failure::failed)? {
            if self.json {
                output.object(&swap)?;
            } else {
                output.line(&format!("{}  {}", swap.at, swap_line(&swap)))?;
            }
        }
        output.flush()
    }
}

/// A swap in words: its number, how it ended, what it was.
pub fn swap_line(swap: &Swap) -> String {
    let number = swap.generation.map_or_else(|| "-".to_owned(), |generation| format!("generation {generation}"));
    let took = swap.took_ms.map_or_else(String::new, |ms| format!("{ms:.0} ms"));
    let changes: Vec<String> = swap.changes.iter().map(Change::to_string).collect();
    let what = match (&swap.library, changes.is_empty()) {
        (Some(library), _) => library.clone(),
        (None, false) => changes.join("; "),
        (None, true) => "nothing changed".into(),
    };
    let refusal = swap.refusal.as_ref().map_or_else(String::new, |refusal| format!(": {refusal}"));
    let pipeline = swap.pipeline.as_ref().map_or("", PipelineId::as_str);
    format!("{number:14} {pipeline:16} {:10} {took:>8}  {}: {what}{refusal}", swap.outcome, swap.reason)
}
