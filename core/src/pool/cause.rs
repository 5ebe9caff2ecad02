//! How a worker came to its end, in words for a person.

use std::{fmt, os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

/// Why a worker is dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// By a signal that the pool did not send.
    Signal(i32),
    Exit(i32),
    /// Killed: no answer in time.
    Deadline(Duration),
    /// Killed: more memory in use than allowed.
    Memory {
        used_mb: u64,
        limit_mb: u64,
    },
    /// Killed: it sent what no worker sends.
    Nonsense(String),
    /// It hung up and lived on, or how it ended cannot be known.
    Silent,
}

impl Cause {
    /// The end that the kernel tells of, unless the pool itself brought it about for `reason`.
    pub(super) fn of(status: Option<ExitStatus>, reason: Option<Self>) -> Self {
        if let Some(reason) = reason {
            return reason;
        }
        let told = status.and_then(|status| status.signal().map(Self::Signal).or(status.code().map(Self::Exit)));
        told.unwrap_or(Self::Silent)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(number) => match signal(*number) {
                Some((name, meaning)) => write!(f, "the worker was ended by {name} ({meaning})"),
                None => write!(f, "the worker was ended by signal {number}"),
            },
            Self::Exit(code) => write!(f, "the worker ended itself with exit status {code}"),
            Self::Deadline(after) => write!(f, "no answer within {:.1} s", after.as_secs_f64()),
            Self::Memory { used_mb, limit_mb } => write!(f, "{used_mb} MB in use, {limit_mb} MB allowed"),
            Self::Nonsense(what) => write!(f, "the worker sent {what}"),
            Self::Silent => f.write_str("the worker hung up"),
        }
    }
}

/// Signals that end processes, by their Linux numbers (signal(7), x86 and ARM).
fn signal(number: i32) -> Option<(&'static str, &'static str)> {
    Some(match number {
        1 => ("SIGHUP", "hangup"),
        2 => ("SIGINT", "interrupt"),
        3 => ("SIGQUIT", "quit"),
        4 => ("SIGILL", "illegal instruction"),
        5 => ("SIGTRAP", "trap"),
        6 => ("SIGABRT", "abort"),
        7 => ("SIGBUS", "bus error"),
        8 => ("SIGFPE", "arithmetic error"),
        9 => ("SIGKILL", "killed from outside, or the machine ran out of memory"),
        11 => ("SIGSEGV", "segmentation fault"),
        13 => ("SIGPIPE", "broken pipe"),
        15 => ("SIGTERM", "terminated from outside"),
        24 => ("SIGXCPU", "processor time limit"),
        25 => ("SIGXFSZ", "file size limit"),
        31 => ("SIGSYS", "system call that the sandbox refuses"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_names_the_signal_the_status_or_the_limit() {
        assert!(Cause::of(Some(ExitStatus::from_raw(11)), None).to_string().contains("SIGSEGV"));
        assert!(Cause::of(Some(ExitStatus::from_raw(3 << 8)), None).to_string().ends_with("exit status 3"));
        assert!(Cause::of(Some(ExitStatus::from_raw(40)), None).to_string().ends_with("signal 40"));
        let deadline = Cause::Deadline(Duration::from_millis(2040));
        assert_eq!(Cause::of(Some(ExitStatus::from_raw(9)), Some(deadline)).to_string(), "no answer within 2.0 s");
        assert_eq!(Cause::of(None, None), Cause::Silent);
    }
}
