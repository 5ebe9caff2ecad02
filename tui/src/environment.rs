//! The only place that reads environment variables: everything else is given this value.
//!
//! Read once, at the start, by `main`. A variable that is set but empty counts as not set.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

/// What the process was started with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `FERRULE_PLUGIN_PATH`, in order.
    pub plugin_path: Vec<PathBuf>,
    /// `XDG_RUNTIME_DIR`: gone after logout where nothing lingers.
    pub runtime_dir: Option<PathBuf>,
    /// `LIBTORCH`: an unpacked libtorch.
    pub libtorch: Option<PathBuf>,
    /// `USER` or `LOGNAME`.
    pub user: Option<String>,
    /// `TERM`.
    pub term: Option<String>,
    /// `TERM_PROGRAM`: which terminal, where it says so.
    pub term_program: Option<String>,
    /// `COLORTERM` says `truecolor` or `24bit`.
    pub true_color: bool,
    /// `NO_COLOR` is set (<https://no-color.org>).
    pub no_color: bool,
    /// `SSH_CONNECTION` is set: every byte costs.
    pub remote: bool,
    /// Inside tmux or screen.
    pub multiplexer: bool,
    /// The locale writes UTF-8.
    pub utf8: bool,
    /// `KITTY_WINDOW_ID` is set.
    pub kitty: bool,
}

impl Environment {
    pub fn read() -> Self {
        Self::from_lookup(|name| env::var_os(name))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let raw = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &str| raw(name).map(|value| value.to_string_lossy().into_owned());
        // POSIX: the first that is set decides.
        let locale = text("LC_ALL").or_else(|| text("LC_CTYPE")).or_else(|| text("LANG")).unwrap_or_default();
        let locale = locale.to_lowercase();
        Self {
            plugin_path: raw("FERRULE_PLUGIN_PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default(),
            runtime_dir: raw("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute()),
            libtorch: raw("LIBTORCH").map(PathBuf::from),
            user: text("USER").or_else(|| text("LOGNAME")),
            term: text("TERM"),
            term_program: text("TERM_PROGRAM"),
            true_color: matches!(text("COLORTERM").as_deref(), Some("truecolor" | "24bit")),
            no_color: raw("NO_COLOR").is_some(),
            remote: raw("SSH_CONNECTION").is_some(),
            multiplexer: raw("TMUX").is_some() || raw("STY").is_some(),
            utf8: locale.contains("utf-8") || locale.contains("utf8"),
            kitty: raw("KITTY_WINDOW_ID").is_some(),
        }
    }
}

/// The path as seen from the current directory, links left as they are.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    // `.` alone would otherwise stay a trailing part of every message.
    if path.as_os_str() == "." { env::current_dir() } else { std::path::absolute(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_lookup(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(*value))
        })
    }

    #[test]
    fn nothing_set_gives_the_plainest_terminal() {
        assert_eq!(given(&[]), Environment::default());
        assert_eq!(given(&[("NO_COLOR", ""), ("LIBTORCH", "")]), Environment::default());
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        assert!(given(&[("LANG", "en_GB.UTF-8")]).utf8);
        assert!(!given(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]).utf8);
    }

    #[test]
    fn a_plugin_path_is_split_and_a_relative_runtime_directory_is_no_directory() {
        let environment = given(&[("FERRULE_PLUGIN_PATH", "/a:/b c"), ("XDG_RUNTIME_DIR", "run")]);
        assert_eq!(environment.plugin_path, [PathBuf::from("/a"), PathBuf::from("/b c")]);
        assert_eq!(environment.runtime_dir, None);
    }
}
