//! How a command ends badly: decided once, into a kind, a message, a hint and an exit status.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

use ferrule_core::{
    change::ChangeError,
    client::{ConnectError, RequestError},
    config::ConfigurationError,
    engine::EngineError,
};

/// What sort of bad end it is; gives the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Some items failed; they are listed already, or the message says what went wrong.
    Failed,
    /// Wrong usage or configuration.
    Wrong,
    /// The engine could not be reached.
    Unreachable,
    /// Whoever read the output has gone: nothing is wrong, and nobody is there to be told.
    NobodyReads,
}

/// A bad end.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    /// One line each; empty where everything has been said.
    pub messages: Vec<String>,
    /// What the person can do.
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Display) -> Self {
        Self { kind, messages: vec![message.to_string()], hint: None }
    }

    pub fn wrong(message: impl Display) -> Self {
        Self::new(Kind::Wrong, message)
    }

    pub fn failed(message: impl Display) -> Self {
        Self::new(Kind::Failed, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    pub fn status(&self) -> u8 {
        match self.kind {
            Kind::NobodyReads => 0,
            Kind::Failed => 1,
            Kind::Wrong => 2,
            Kind::Unreachable => 3,
        }
    }

    /// Tells the person on standard error, and gives the exit status.
    pub fn report(self) -> ExitCode {
        self.warn();
        ExitCode::from(self.status())
    }

    /// Tells the person on standard error, where the command can go on all the same.
    pub fn warn(&self) {
        let mut stderr = io::stderr().lock();
        // There is no further place to complain when standard error is gone.
        for message in &self.messages {
            let _ = writeln!(stderr, "ferrule: {message}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(stderr, "  {hint}");
        }
    }
}

impl From<ConfigurationError> for Failure {
    fn from(error: ConfigurationError) -> Self {
        match error {
            ConfigurationError::Mistakes(mistakes) => Self {
                kind: Kind::Wrong,
                messages: mistakes.iter().map(ToString::to_string).collect(),
                hint: Some("`ferrule config show --defaults` lists every key with its default and why".into()),
            },
            unreadable @ ConfigurationError::Unreadable { .. } => Self::wrong(unreadable),
        }
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Configuration(error) => error.into(),
            other => Self::wrong(other),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::new(Kind::Unreachable, error)
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        match error {
            // It was reached, and said no.
            refused @ RequestError::Refused(_) => Self::failed(refused),
            RequestError::Lost(_) | RequestError::Late(_) => Self::new(Kind::Unreachable, error),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Configuration(error) => error.into(),
            // A disk may come yet: who starts engines by themselves tries again.
            gone @ EngineError::Gone { .. } => Self::failed(gone),
            other => Self::wrong(other),
        }
    }
}
