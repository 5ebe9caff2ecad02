//! How a worker is started, and what it is told on its command line. The engine writes the line, the hidden subcommand
//! reads it back; nobody types it. The protocol's socket is the worker's standard input.

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use crate::host::card::Profile;

/// The program that becomes a worker when it is given these arguments first: the same binary with its hidden subcommand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerProgram {
    pub executable: PathBuf,
    pub arguments: Vec<OsString>,
    /// A folder whose libraries come before those that a plug-in was built against: another libtorch.
    pub libraries: Option<PathBuf>,
}

/// What a worker may do and take.
#[derive(Debug, Clone, PartialEq)]
pub struct Arguments {
    /// Process id of whoever starts it; a worker that finds another parent is an orphan and ends.
    pub parent: u32,
    pub profile: Profile,
    /// The only folder, with all below it, that it may write to. It must exist.
    pub staging: Option<PathBuf>,
    pub limits: Limits,
}

/// What a capture may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Data segment of the process (heap and private maps).
    pub memory_mb: u64,
    pub max_megapixels: f64,
    pub max_file_mb: u64,
}

/// A command line that no engine wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("worker arguments: {0}; workers are started by the engine, not by hand")]
pub struct InvalidArguments(String);

impl Arguments {
    /// The command line, to follow [`WorkerProgram::arguments`].
    #[must_use]
    pub fn command_line(&self) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec!["--parent".into(), self.parent.to_string().into()];
        line.extend(["--profile".into(), self.profile.as_str().into()]);
        line.extend(["--memory-mb".into(), self.limits.memory_mb.to_string().into()]);
        line.extend(["--max-megapixels".into(), self.limits.max_megapixels.to_string().into()]);
        line.extend(["--max-file-mb".into(), self.limits.max_file_mb.to_string().into()]);
        if let Some(staging) = &self.staging {
            line.extend(["--staging".into(), staging.into()]);
        }
        line
    }

    /// Reads [`Self::command_line`] back.
    ///
    /// # Errors
    /// Says which argument is unknown, missing or no number.
    pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Self, InvalidArguments> {
        let (mut parent, mut profile, mut staging) = (None, Profile::Narrow, None);
        let (mut memory_mb, mut max_megapixels, mut max_file_mb) = (None, None, None);
        let mut line = line.into_iter();
        while let Some(name) = line.next() {
            let value = line.next().ok_or_else(|| InvalidArguments(format!("{} lacks a value", name.display())))?;
            match name.to_str() {
                Some("--parent") => parent = Some(number(&name, &value)?),
                Some("--profile") if value == Profile::Narrow.as_str() => profile = Profile::Narrow,
                Some("--profile") if value == Profile::Wide.as_str() => profile = Profile::Wide,
                Some("--memory-mb") => memory_mb = Some(number(&name, &value)?),
                Some("--max-megapixels") => max_megapixels = Some(number(&name, &value)?),
                Some("--max-file-mb") => max_file_mb = Some(number(&name, &value)?),
                Some("--staging") => staging = Some(PathBuf::from(value)),
                _ => return Err(InvalidArguments(format!("unknown argument {}", name.display()))),
            }
        }
        let missing = |name: &str| InvalidArguments(format!("{name} is missing"));
        Ok(Self {
            parent: parent.ok_or_else(|| missing("--parent"))?,
            profile,
            staging,
            limits: Limits {
                memory_mb: memory_mb.ok_or_else(|| missing("--memory-mb"))?,
                max_megapixels: max_megapixels.ok_or_else(|| missing("--max-megapixels"))?,
                max_file_mb: max_file_mb.ok_or_else(|| missing("--max-file-mb"))?,
            },
        })
    }
}

fn number<T: std::str::FromStr>(name: &OsStr, value: &OsStr) -> Result<T, InvalidArguments> {
    let number = value.to_str().and_then(|value| value.parse().ok());
    number.ok_or_else(|| InvalidArguments(format!("{} {} is no number", name.display(), value.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_command_line_is_read_back_as_it_was_written() {
        let limits = Limits { memory_mb: 1500, max_megapixels: 0.1, max_file_mb: 64 };
        let odd = PathBuf::from(OsString::from_vec(b"/data/\xff --staging".to_vec()));
        for (staging, profile) in [(None, Profile::Narrow), (Some(odd), Profile::Wide)] {
            let arguments = Arguments { parent: 4711, profile, staging, limits };
            assert_eq!(Arguments::parse(arguments.command_line()), Ok(arguments));
        }
    }

    #[test]
    fn a_line_typed_by_hand_is_refused_with_what_is_wrong() {
        let refused = |line: &[&str]| Arguments::parse(line.iter().map(OsString::from)).unwrap_err().to_string();
        assert!(refused(&["--help"]).contains("--help lacks a value"));
        assert!(refused(&["--parent", "x"]).contains("--parent x is no number"));
        assert!(refused(&["--parent", "1"]).contains("--memory-mb is missing"));
    }
}
