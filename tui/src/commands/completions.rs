//! `ferrule completions SHELL`.

use clap::Args;
use clap_complete::Shell;

use crate::{failure::Failure, output::Output};

/// Print completions for a shell
#[derive(Debug, Args)]
pub struct Completions {
    shell: Shell,
}

impl Completions {
    pub fn run(self, command_line: &mut clap::Command) -> Result<(), Failure> {
        // Into memory first: the generator panics where a writer fails, and a pipe may be closed.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command_line, "ferrule", &mut script);
        let mut output = Output::new();
        output.bytes(&script)?;
        output.flush()
    }
}
