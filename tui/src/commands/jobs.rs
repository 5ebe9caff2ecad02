//! `ferrule jobs`: which jobs there are and whether they can be handed over, or how the ends of one stand.

use clap::Args;
use ferrule_core::{
    job::{End, Job, Standing},
    names,
    store::Reader,
};

use crate::{failure::Failure, output::Output, place::DatasetPlace};

/// Show jobs and whether they can be handed over, by the names of captures (`name_pattern`)
#[derive(Debug, Args)]
pub struct Jobs {
    #[command(flatten)]
    dataset: DatasetPlace,
    /// The ends of this job
    #[arg(long, value_name = "NAME")]
    job: Option<String>,
    /// How many are shown, the newest first
    #[arg(long, default_value_t = 200, value_name = "COUNT", conflicts_with = "job")]
    limit: usize,
    /// One JSON object a line: a job, or an end
    #[arg(long)]
    json: bool,
}

impl Jobs {
    pub fn run(self) -> Result<(), Failure> {
        let reader = self.dataset.reader()?;
        let mut output = Output::new();
        if let Some(name) = &self.job {
            let job = find(&reader, name)?;
            for end in &job.ends {
                if self.json {
                    output.object(end)?;
                } else {
                    output.line(&end_line(end))?;
                }
            }
            if !self.json {
                output.line(&format!("{}: {}", names::visible(&job.name), job.hand_over))?;
            }
            return output.flush();
        }
        let jobs = reader.jobs(self.limit).map_err(Failure::failed)?;
        for job in &jobs {
            if self.json {
                output.object(job)?;
            } else {
                output.line(&job_line(job))?;
            }
        }
        if jobs.is_empty() && !self.json {
            output.line("no jobs: no name_pattern of a source has found one in a file's name")?;
        }
        output.flush()
    }
}

/// The job of that name.
pub(super) fn find(reader: &Reader, name: &str) -> Result<Job, Failure> {
    reader.job(name).map_err(Failure::failed)?.ok_or_else(|| {
        Failure::wrong(format!("no capture belongs to a job {name:?}"))
            .hint("`ferrule jobs` lists them; a source's name_pattern finds them in file names")
    })
}

fn job_line(job: &Job) -> String {
    let counts: Vec<String> = Standing::ALL
        .into_iter()
        .filter(|standing| job.count(*standing) > 0)
        .map(|standing| format!("{} {standing}", job.count(standing)))
        .collect();
    let last = job.last().map_or("", |shot| &shot.seen_at);
    format!("{:<4}  {}: {}; last capture {last}", job.hand_over, names::visible(&job.name), counts.join(", "))
}

fn end_line(end: &End) -> String {
    let latest = end.latest().map_or_else(String::new, |shot| format!("  {}", names::visible(&shot.name)));
    let before = end.before().map_or_else(String::new, |shot| {
        let verdict = shot.verdict.map_or_else(|| shot.state.to_string(), |verdict| verdict.to_string());
        format!("  before: {verdict}, {}", names::visible(&shot.name))
    });
    let place = names::visible(&format!("{} {}", end.port, end.side)).trim().to_owned();
    format!("{:<13}  {place}{latest}{before}", end.standing)
}
