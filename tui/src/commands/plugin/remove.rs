//! `ferrule plugin remove ID`: a library out of the workspace's `plugins/`. Its build stays in the store, to go back to.

use clap::Args;
use ferrule_core::{host::install, ids::PluginId, swap::short};
use serde_json::json;

use super::{
    bench::{Bench, Where, merge},
    taken_up::{Patience, TakenUp},
};
use crate::{environment::Environment, failure::Failure, output::Output};

/// Take a plug-in's library out of the workspace's plugins/
#[derive(Debug, Args)]
pub struct Remove {
    /// The plug-in
    #[arg(value_name = "ID")]
    id: PluginId,
    #[command(flatten)]
    place: Where,
    /// The library's other plug-ins too, where it offers several
    #[arg(long)]
    with_others: bool,
    #[command(flatten)]
    patience: Patience,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Remove {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let bench = self.place.open(environment)?;
        let used = bench.available(&self.id)?;
        let Some(file) = bench.own_file(&self.id) else {
            let message = format!("{} comes from {} ({})", self.id, used.found.display(), used.origin);
            return Err(Failure::wrong(message).hint(format!(
                "only what lies in plugins/ can be removed; to do without it: ferrule plugin disable {}",
                self.id
            )));
        };
        self.refuse_what_is_needed(&bench, file)?;
        let listener = self.patience.listen(&bench.workspace)?;
        install::take_away(file).map_err(Failure::failed)?;
        let taken_up = match listener {
            Some(listener) => listener.wait(None)?,
            None => TakenUp::NoEngine { problem: bench.problem_now() },
        };
        let mut output = Output::new();
        if self.json {
            let mut object = json!({"removed": file, "id": self.id, "build": used.build});
            merge(&mut object, &taken_up)?;
            output.object(&object)?;
        } else {
            output.line(&format!("removed {}", file.display()))?;
            if let Some(next) = used.shadows.first() {
                output.line(&format!("{} is used from {} now", self.id, next.display()))?;
            }
            taken_up.tell(&mut output)?;
            let build = short(&used.build);
            output.line(&format!("to have it back: ferrule plugin rollback {} --to {build}", self.id))?;
        }
        output.flush()?;
        taken_up.failure()
    }

    /// A library on which the pipeline stands is not taken away.
    fn refuse_what_is_needed(&self, bench: &Bench, file: &std::path::Path) -> Result<(), Failure> {
        let offered: Vec<_> = bench.catalogue.available.iter().filter(|it| it.found == file).collect();
        if let Some(needed) = offered.iter().find(|it| it.shadows.is_empty() && bench.in_pipeline(&it.card.id)) {
            let id = &needed.card.id;
            let message = format!("{id} is in the pipeline, and nothing but {} offers it", file.display());
            return Err(Failure::wrong(message).hint(format!("first: ferrule plugin disable {id}")));
        }
        let others: Vec<&str> =
            offered.iter().map(|it| it.card.id.as_str()).filter(|id| *id != self.id.as_str()).collect();
        if !others.is_empty() && !self.with_others {
            let message = format!("{} offers {} too", file.display(), others.join(", "));
            return Err(Failure::wrong(message).hint("to take them all away: --with-others"));
        }
        Ok(())
    }
}
