//! `ferrule plugin …`: what there is, what is in force, and how a build comes into force and leaves it again.

mod list;
mod log;

use clap::{Args, Subcommand};

use crate::{environment::Environment, failure::Failure};

pub(super) use log::swap_line;

/// Show, install, check, switch and make plug-ins
#[derive(Debug, Args)]
pub struct Plugin {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    List(list::List),
    Log(log::Log),
}

impl Plugin {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self.what {
            What::List(list) => list.run(environment),
            What::Log(log) => log.run(),
        }
    }
}
