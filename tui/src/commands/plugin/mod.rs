//! `ferrule plugin …`: what there is, what is in force, and how a build comes into force and leaves it again.

pub(super) mod bench;
mod check;
mod history;
mod install;
mod list;
mod log;
mod new;
mod reference;
mod release;
mod remove;
pub(super) mod rollback;
mod switch;
pub(super) mod taken_up;

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
    New(new::New),
    Check(check::Check),
    Install(install::Install),
    Remove(remove::Remove),
    Rollback(rollback::Rollback),
    History(history::History),
    Enable(switch::Enable),
    Disable(switch::Disable),
    Release(release::Release),
    Log(log::Log),
}

impl Plugin {
    pub fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self.what {
            What::List(list) => list.run(environment),
            What::New(new) => new.run(),
            What::Check(check) => check.run(environment),
            What::Install(install) => install.run(environment),
            What::Remove(remove) => remove.run(environment),
            What::Rollback(rollback) => rollback.run(environment),
            What::History(history) => history.run(),
            What::Enable(enable) => enable.run(environment),
            What::Disable(disable) => disable.run(environment),
            What::Release(release) => release.run(),
            What::Log(log) => log.run(),
        }
    }
}
