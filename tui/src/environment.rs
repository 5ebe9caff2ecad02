//! The only place that reads environment variables: everything else is given values.
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
    /// `XDG_CACHE_HOME`, else `HOME/.cache`: what can be made again.
    pub cache_dir: Option<PathBuf>,
    /// `XDG_STATE_HOME`, else `HOME/.local/state`: what is remembered from one session to the next.
    pub state_dir: Option<PathBuf>,
    /// `PATH`, for programs of other people that a person has.
    pub path: Vec<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `USER` or `LOGNAME`.
    pub user: Option<String>,
}

impl Environment {
    pub fn read() -> Self {
        Self::from_lookup(|name| env::var_os(name))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let raw = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let text = |name: &str| raw(name).map(|value| value.to_string_lossy().into_owned());
        Self {
            plugin_path: raw("FERRULE_PLUGIN_PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default(),
            runtime_dir: raw("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute()),
            libtorch: raw("LIBTORCH").map(PathBuf::from),
            cache_dir: raw("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| raw("HOME").map(|home| PathBuf::from(home).join(".cache")))
                .filter(|path| path.is_absolute()),
            state_dir: raw("XDG_STATE_HOME")
                .map(PathBuf::from)
                .or_else(|| raw("HOME").map(|home| PathBuf::from(home).join(".local/state")))
                .filter(|path| path.is_absolute()),
            path: raw("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default(),
            home: raw("HOME").map(PathBuf::from),
            user: text("USER").or_else(|| text("LOGNAME")),
        }
    }
}

/// Folders as a variable like `PATH` holds them; `None` where one of them cannot stand in a list.
pub fn joined(folders: &[PathBuf]) -> Option<OsString> {
    env::join_paths(folders).ok()
}

/// A variable that says something about the terminal (`TERM`, `NO_COLOR`, …).
pub fn variable(name: &str) -> Option<String> {
    env::var_os(name).filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into_owned())
}

/// This binary, as it is started again for the engine and for workers.
pub fn executable() -> io::Result<PathBuf> {
    env::current_exe()
}

/// The folder of libtorch's libraries: `LIBTORCH`, one beside an installed binary, one that `cargo xtask libtorch` fetched.
/// `None` leaves plug-ins to what they were built against.
pub fn libtorch(executable: &Path) -> Option<PathBuf> {
    let environment = Environment::read();
    let beside = executable.parent().and_then(Path::parent).map(|prefix| prefix.join("lib/ferrule/libtorch"));
    let fetched = environment.cache_dir.map(|cache| cache.join("ferrule/libtorch-2.11.0-cpu"));
    let places = [environment.libtorch, beside, fetched].into_iter().flatten();
    places.map(|place| place.join("lib")).find(|lib| lib.join("libtorch_cpu.so").exists())
}

/// What follows the hidden subcommand, where this process is to become a worker.
pub fn worker_arguments() -> Option<impl Iterator<Item = OsString>> {
    let mut arguments = arguments();
    (arguments.next()? == WORKER).then_some(arguments)
}

/// What glibc reads once, as a program starts: its allocator's settings.
const TUNABLES: &str = "GLIBC_TUNABLES";
/// Off: what each thread keeps of its freed blocks (glibc's manual, "Memory Allocation Tunables").
const THREAD_CACHE: &str = "glibc.malloc.tcache_count";
/// Says that this is the second start, also where the first variable is taken away on the way (a binary with capabilities).
const STARTED_ANEW: &str = "FERRULE_STARTED_ANEW";

/// Variables for an engine of this process, with which it must be started once more: a dozen threads that live for weeks
/// would each keep up to seven freed blocks of every size, spread over pages that are then never given back. `None` where
/// that is so already or a person has chosen.
pub fn for_an_engine() -> Option<[(&'static str, OsString); 2]> {
    let tunables = tunables_for_an_engine(|name| env::var_os(name))?;
    Some([(TUNABLES, tunables), (STARTED_ANEW, "1".into())])
}

fn tunables_for_an_engine(lookup: impl Fn(&str) -> Option<OsString>) -> Option<OsString> {
    if cfg!(not(target_env = "gnu")) || lookup(STARTED_ANEW).is_some() {
        return None;
    }
    let mut tunables = lookup(TUNABLES).unwrap_or_default();
    if tunables.to_string_lossy().contains(THREAD_CACHE) {
        return None;
    }
    if !tunables.is_empty() {
        tunables.push(":");
    }
    tunables.push(format!("{THREAD_CACHE}=0"));
    Some(tunables)
}

/// The words that this process was started with, after the program.
pub fn arguments() -> impl Iterator<Item = OsString> {
    env::args_os().skip(1)
}

/// The hidden subcommand. Not part of the command line that people see: nobody types it.
pub const WORKER: &str = "worker";

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
    fn a_variable_that_is_empty_is_not_set() {
        assert_eq!(given(&[]), Environment::default());
        assert_eq!(given(&[("FERRULE_PLUGIN_PATH", ""), ("LIBTORCH", "")]), Environment::default());
    }

    #[cfg(target_env = "gnu")]
    #[test]
    fn an_engine_is_told_once_to_do_without_caches_in_threads_and_what_a_person_chose_stays() {
        let told = |pairs: &[(&str, &str)]| {
            tunables_for_an_engine(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        assert_eq!(told(&[]).unwrap(), "glibc.malloc.tcache_count=0");
        let beside = told(&[(TUNABLES, "glibc.malloc.perturb=7")]).unwrap();
        assert_eq!(beside, "glibc.malloc.perturb=7:glibc.malloc.tcache_count=0");
        assert_eq!(told(&[(TUNABLES, "glibc.malloc.tcache_count=3")]), None);
        assert_eq!(told(&[(STARTED_ANEW, "1")]), None, "it would start for ever");
    }

    #[test]
    fn a_plugin_path_is_split_and_a_relative_runtime_directory_is_no_directory() {
        let environment = given(&[("FERRULE_PLUGIN_PATH", "/a:/b c"), ("XDG_RUNTIME_DIR", "run")]);
        assert_eq!(environment.plugin_path, [PathBuf::from("/a"), PathBuf::from("/b c")]);
        assert_eq!(environment.runtime_dir, None);
    }
}
