//! What the workbench is told before it starts. It reads no environment itself: the binary's `main` does, once.

use std::path::PathBuf;

use ferrule_core::{settings::Screen, worker::arguments::Limits, workspace::DatasetPaths};
use jiff::tz::TimeZone;

use super::{
    keymap::KeyMap,
    pace::{self, Line},
    reference::Learn,
    theme::Colours,
    trial::{PutBack, TryOut},
};

/// Everything that [`super::run`] needs.
pub struct WorkbenchSettings {
    /// The workspace's name in the title line.
    pub workspace: String,
    /// The workspace's folder.
    pub root: PathBuf,
    pub dataset: DatasetPaths,
    /// Where the log is: named when the interface fails.
    pub log: Option<PathBuf>,
    pub terminal: TerminalFacts,
    /// The line is too slow for pictures: outlines instead, and less often.
    pub low_bandwidth: bool,
    pub screen: Screen,
    pub keys: KeyMap,
    /// What was wrong with the keys that are configured, a line each.
    pub key_problems: Vec<String>,
    pub time_zone: TimeZone,
    /// Starts an engine for this workspace and returns once it answers; the error is one line for a person.
    pub start_engine: Box<dyn Fn() -> Result<(), String> + Send>,
    /// For pictures that an export has to decode.
    pub limits: Limits,
    /// Inspects a picture with a plug-in's parameters as they are typed; nothing is stored.
    pub try_out: TryOut,
    /// Puts a former build of a plug-in back.
    pub put_back: PutBack,
    /// Makes a reference of clean end faces.
    pub learn: Learn,
    /// Set when logging out would end the engine: what would happen, and the remedy.
    pub at_logout: Option<String>,
    /// Where the reviewer's name is kept from one session to the next, if anywhere.
    pub reviewer_file: Option<PathBuf>,
    /// Whom the session belongs to.
    pub user: Option<String>,
}

/// What the environment says about the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalFacts {
    /// Over SSH: fewer frames, smaller pictures.
    pub remote: bool,
    /// Inside tmux or screen.
    pub multiplexer: bool,
    pub colours: Colours,
    pub utf8: bool,
    /// Understands iTerm2's pictures.
    pub iterm: bool,
    /// Can place no text at all.
    pub dumb: bool,
}

impl Default for TerminalFacts {
    fn default() -> Self {
        Self { remote: false, multiplexer: false, colours: Colours::Palette256, utf8: true, iterm: false, dumb: false }
    }
}

impl TerminalFacts {
    /// What the line to it carries; `None` in front of the machine.
    pub(super) fn line(&self, low_bandwidth: bool) -> Option<Line> {
        match (low_bandwidth, self.remote) {
            (true, _) => Some(pace::POOR),
            (false, true) => Some(pace::FAR),
            (false, false) => None,
        }
    }

    /// Reads them from the environment through `variable`, which gives a variable's value.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name: &str| variable(name).unwrap_or_default();
        let set = |name: &str| !value(name).is_empty();
        let (term, program) = (value("TERM"), value("TERM_PROGRAM"));
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().map(value).find(|text| !text.is_empty());
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        Self {
            remote: set("SSH_CONNECTION") || set("SSH_TTY"),
            multiplexer: set("TMUX") || term.starts_with("tmux") || term.starts_with("screen"),
            colours: colours(&term, &value("COLORTERM"), set("NO_COLOR")),
            // An unset locale over SSH is common and says nothing; the C locale says it does not.
            utf8: term != "linux" && (locale.is_empty() || locale.contains("utf-8") || locale.contains("utf8")),
            iterm: ["iTerm", "WezTerm", "mintty", "vscode", "WarpTerminal"].iter().any(|name| program.contains(name))
                || value("LC_TERMINAL").contains("iTerm")
                || set("WEZTERM_EXECUTABLE")
                || set("KONSOLE_VERSION"),
            dumb: term == "dumb" || term.is_empty(),
        }
    }
}

fn colours(term: &str, colorterm: &str, no_color: bool) -> Colours {
    if no_color || term.ends_with("-mono") || term.starts_with("vt1") || term.starts_with("vt2") {
        Colours::None
    } else if colorterm == "truecolor" || colorterm == "24bit" || term.ends_with("-direct") {
        Colours::True
    } else if term.contains("256") || ["xterm-kitty", "alacritty", "foot", "xterm-ghostty"].contains(&term) {
        Colours::Palette256
    } else {
        Colours::Sixteen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(variables: &[(&str, &str)]) -> TerminalFacts {
        TerminalFacts::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_is_understood() {
        let remote = facts(&[("TERM", "xterm-256color"), ("SSH_CONNECTION", "1 2 3 4"), ("LANG", "en_US.UTF-8")]);
        assert!(remote.remote && remote.utf8 && !remote.multiplexer && !remote.dumb);
        assert_eq!(remote.colours, Colours::Palette256);
        assert!(facts(&[("TERM", "screen"), ("TMUX", "/tmp/x")]).multiplexer);
        assert_eq!(facts(&[("TERM", "xterm"), ("NO_COLOR", "1")]).colours, Colours::None);
        assert_eq!(facts(&[("TERM", "xterm"), ("NO_COLOR", "")]).colours, Colours::Sixteen);
        assert!(!facts(&[("TERM", "xterm"), ("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]).utf8);
        assert!(facts(&[("TERM", "dumb")]).dumb && facts(&[]).dumb);
    }
}
