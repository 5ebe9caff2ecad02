//! `ferrule compare`: what two pipelines, or two builds of a plug-in, say of the same pictures. Nothing is stored.

mod side;
mod table;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::{Args, value_parser};
use ferrule_core::{
    compare::{self, Both, Comparison, LEGEND, Listener, OfBuild, Report, tile},
    config::Configuration,
    filter::Filter,
    ids::{ImageId, PluginId},
    inspect,
    pool::PoolSettings,
    sheet,
    store::Reader,
    worker::arguments::Limits,
    workspace::DatasetPaths,
};
use jiff::Zoned;

use self::side::Named;
use super::plugin::rollback;
use crate::{
    batch::{self, With},
    environment::Environment,
    failure::{Failure, Kind},
    output::{self, Output},
    place::Place,
    program::worker_program,
    progress::Progress,
};

/// Compare two pipelines, or two builds of a plug-in, on the same pictures
///
/// A and B are each a settings file (.toml), a workspace, a plug-in library (.so: what ships, with this build in place of
/// the one with the same id) or `shipped`. Both run over the same files; nothing is stored. Two ids of pipelines, or two
/// builds as PLUGIN@BUILD, compare what a workspace has stored instead: `ferrule compare ID ID [WORKSPACE]`.
#[derive(Debug, Args)]
pub struct Compare {
    #[arg(value_name = "A")]
    a: PathBuf,
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Pictures, or folders of pictures; after two ids the workspace
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A folder of pictures
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Draw the pictures that differ most into this PNG: what both say, and what only one does
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// How many of the pictures that differ most are listed and drawn
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = value_parser!(u8).range(..=99))]
    most: u8,
    /// Only stored pictures that fit, as in the list of captures: --where 'zone:core type:scratch'
    #[arg(long = "where", value_name = "FILTER")]
    only: Option<String>,
    #[command(flatten)]
    with: With,
}

impl Compare {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        let (comparison, limits) = match (Named::of(&self.a)?, Named::of(&self.b)?) {
            (Named::Stored(a), Named::Stored(b)) => self.stored(&Kept::Pipelines([a, b]))?,
            (Named::Build(a, first), Named::Build(b, second)) => {
                self.stored(&Kept::Builds([(a, first), (b, second)]))?
            }
            (kept @ (Named::Stored(_) | Named::Build(..)), other)
            | (other, kept @ (Named::Stored(_) | Named::Build(..))) => {
                return Err(Failure::wrong(format!(
                    "`{}` names what a workspace has stored and {} does not: the two cannot be compared",
                    kept.name(),
                    other.name()
                ))
                .hint("give two ids, two PLUGIN@BUILD, or two of settings file, workspace, library or `shipped`"));
            }
            (a, b) => self.again(a, b, environment)?,
        };
        let report = &comparison.report;
        let mut output = Output::new();
        if self.json {
            output.object(report)?;
        } else {
            for line in table::lines(report) {
                output.line(&line)?;
            }
        }
        output.flush()?;
        if let Some(path) = &self.sheet {
            let tiles: Vec<_> = comparison.most.iter().map(tile).collect();
            let title = format!(
                "A: {}   B: {}   {} of {} pictures differ",
                report.a.name, report.b.name, report.differing, report.pictures
            );
            sheet::write(path, &title, LEGEND, &tiles, &limits).map_err(Failure::failed)?;
        }
        end(report)
    }

    /// Both run over the files.
    fn again(&self, a: Named, b: Named, environment: &Environment) -> Result<(Comparison, Limits), Failure> {
        let given: Vec<PathBuf> = self.files.iter().chain(&self.images).cloned().collect();
        if given.is_empty() {
            return Err(Failure::wrong("no pictures to compare on")
                .hint("name files or folders after A and B, or --images DIR"));
        }
        if let Some(missing) = given.iter().find(|path| !path.exists()) {
            return Err(Failure::wrong(format!("{}: there is no such file or folder", missing.display())));
        }
        let (mut a, side_a) = a.prepare(&self.with, environment)?;
        let (mut b, side_b) = b.prepare(&self.with, environment)?;
        // Both at once, on the cores there are.
        for side in [&mut a, &mut b] {
            side.batch.pool.count = side.batch.pool.count.div_ceil(2);
        }
        let limits = a.batch.pool.limits;
        let files = inspect::listed(given, &a.batch.extensions);
        let mut teller = Teller(Progress::new("pictures", files.len() as u64));
        let both = Both {
            batches: [a.batch.clone(), b.batch.clone()],
            sides: [side_a, side_b],
            files,
            keep: self.most.into(),
        };
        let comparison = compare::run(both, &batch::asked_to_stop()?, &mut teller);
        teller.0.end();
        Ok((comparison.map_err(batch::ended)?, limits))
    }

    /// What a workspace keeps of both.
    fn stored(&self, kept: &Kept) -> Result<(Comparison, Limits), Failure> {
        let workspace = match (self.files.as_slice(), &self.images) {
            ([], None) => None,
            ([workspace], None) => Some(workspace.clone()),
            _ => return Err(Failure::wrong("after two ids or builds comes one workspace and nothing else")),
        };
        let workspace = Place { workspace }.find()?;
        let settings = Configuration::load(&workspace)?.settings;
        let paths = DatasetPaths::at(&settings.dataset.path);
        let reader = Reader::open(&paths).map_err(Failure::wrong)?;
        let chosen = self.only.as_deref().map(|filter| chosen(&reader, filter)).transpose()?;
        let (chosen, keep) = (chosen.as_ref(), self.most.into());
        let mut progress = Progress::new("pictures", 0);
        let stop = batch::asked_to_stop()?;
        let mut told = |done, of| {
            progress.set_of(done, of);
            stop.try_recv().is_err()
        };
        let comparison = match kept {
            Kept::Pipelines([a, b]) => {
                let pipelines = reader.pipelines().map_err(Failure::failed)?;
                let find = |id: &str| compare::which(&pipelines, id).map_err(Failure::wrong);
                compare::stored(&reader, &paths, [find(a)?, find(b)?], chosen, keep, &mut told)
            }
            Kept::Builds(named) => {
                let find = |(id, digits): &(PluginId, String)| {
                    rollback::named(&reader.builds(id).map_err(Failure::failed)?, digits, id)
                };
                let builds = [find(&named[0])?, find(&named[1])?];
                let of = |at: usize| OfBuild { plugin: &named[at].0, build: &builds[at] };
                compare::stored_builds(&reader, &paths, [of(0), of(1)], chosen, keep, &mut told)
            }
        };
        progress.end();
        let limits = PoolSettings::of(worker_program()?, &settings.workers, &settings.plugins, None).limits;
        Ok((comparison.map_err(Failure::failed)?, limits))
    }
}

/// Two sides of which a workspace keeps what they said.
enum Kept {
    Pipelines([String; 2]),
    Builds([(PluginId, String); 2]),
}

/// The pictures of captures that a filter lets through.
fn chosen(reader: &Reader, filter: &str) -> Result<BTreeSet<ImageId>, Failure> {
    let filter =
        Filter::parse(filter, &Zoned::now()).map_err(|error| Failure::wrong(format!("--where {filter}: {error}")))?;
    let fitting = reader.captures_matching(&filter, usize::MAX).map_err(Failure::failed)?;
    Ok(fitting.into_iter().filter_map(|capture| capture.image).collect())
}

fn end(report: &Report) -> Result<(), Failure> {
    if report.interrupted {
        return Err(Failure::failed("interrupted before the last picture"));
    }
    match report.failed.len() {
        0 => Ok(()),
        count => Err(Failure::new(Kind::Failed, format!("{count} pictures could not be compared"))),
    }
}

/// How a path is shown.
fn shown(path: &Path) -> String {
    ferrule_core::names::display(path)
}

/// Shows how far it is.
struct Teller(Progress);

impl Listener for Teller {
    fn progress(&mut self, done: u64) {
        self.0.set(done);
    }

    fn remark(&mut self, remark: &str) {
        output::remark(remark);
    }
}
