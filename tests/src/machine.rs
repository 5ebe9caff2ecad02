//! A machine that misbehaves on request, preloaded into an engine under test: `tests/machine/machine.c`, compiled for the
//! occasion. Its clock is wrong by as much as is asked for, its disk refuses every change, or has each written down.

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The library, and what it is told.
#[derive(Debug)]
pub struct Machine {
    library: PathBuf,
    clock: PathBuf,
    journal: PathBuf,
}

impl Machine {
    /// Compiles it into `folder`. `None`, and a notice, where there is no C compiler.
    ///
    /// # Panics
    /// It does not compile.
    #[must_use]
    pub fn new(folder: &Path) -> Option<Self> {
        let machine = Self {
            library: folder.join("machine.so"),
            clock: folder.join("machine.clock"),
            journal: folder.join("machine.journal"),
        };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("machine/machine.c");
        let compiled = Command::new("cc")
            .args(["-std=gnu11", "-O1", "-shared", "-fPIC", "-o"])
            .arg(&machine.library)
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .output();
        match compiled {
            Ok(output) => assert!(output.status.success(), "{}", crate::text(&output)),
            Err(error) => {
                eprintln!("notice: NOT RUN, a machine that misbehaves needs a C compiler, cc: {error}");
                return None;
            }
        }
        fs::write(&machine.clock, [0; 16]).expect("a clock");
        Some(machine)
    }

    /// Sets the command's clock by this machine's, and has changes below `folder` written down.
    pub fn run<'c>(&self, command: &'c mut Command, folder: Option<&Path>) -> &'c mut Command {
        command.env("LD_PRELOAD", &self.library).env("FERRULE_TEST_CLOCK", &self.clock);
        if let Some(folder) = folder {
            command.env("FERRULE_TEST_JOURNAL", &self.journal).env("FERRULE_TEST_BELOW", folder);
        }
        command
    }

    /// The same, with changes below `folder` refused while [`Self::refuse`] says so, and none written down.
    pub fn run_on<'c>(&self, command: &'c mut Command, folder: &Path) -> &'c mut Command {
        self.run(command, None).env("FERRULE_TEST_BELOW", folder)
    }

    /// From now on every change of the folder fails with this error, or none does.
    ///
    /// # Panics
    /// The file that says so is gone.
    pub fn refuse(&self, error: Option<rustix::io::Errno>) {
        let file = fs::OpenOptions::new().write(true).open(&self.clock).expect("the clock's file");
        let number = error.map_or(0, |error| i64::from(error.raw_os_error()));
        file.write_all_at(&number.to_ne_bytes(), 8).expect("the error can be set");
    }

    /// From now on the wall clock is wrong by so many seconds.
    ///
    /// # Panics
    /// The clock's file is gone.
    pub fn set_clock(&self, seconds: i64) {
        let file = fs::OpenOptions::new().write(true).open(&self.clock).expect("the clock's file");
        file.write_all_at(&(seconds * 1_000_000_000).to_ne_bytes(), 0).expect("the clock can be set");
    }

    /// Every change so far.
    #[must_use]
    pub fn journal(&self) -> Vec<u8> {
        fs::read(&self.journal).unwrap_or_default()
    }

    /// How much was written down so far, in bytes: what is told later happened before that.
    #[must_use]
    pub fn journal_length(&self) -> u64 {
        fs::metadata(&self.journal).map_or(0, |metadata| metadata.len())
    }
}
