//! What logging out would do to an engine: systemd's logind may end everything that a session started.
//!
//! Called by `ferrule doctor`, by whatever starts an engine, and by the quit dialog.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Finding;

/// What becomes of a detached engine when its starter logs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtLogout {
    /// No logind here, or it leaves processes alone.
    Survives,
    /// The user's own service manager goes on after logout: what runs under it survives.
    Lingers,
    /// `KillUserProcesses` is in force and nothing lingers.
    Killed,
}

impl AtLogout {
    /// One line with the remedy, where there is something to fear.
    #[must_use]
    pub fn warning(self) -> Option<&'static str> {
        (self == Self::Killed).then_some(
            "logging out ends the engine (logind's KillUserProcesses); `loginctl enable-linger`, then start it again",
        )
    }

    #[must_use]
    pub fn finding(self) -> Finding {
        const AREA: &str = "session";
        match self {
            Self::Survives => Finding::ok(AREA, "logout", "a detached engine goes on"),
            Self::Lingers => Finding::ok(AREA, "logout", "a detached engine goes on (the user lingers)"),
            Self::Killed => Finding::problem(
                AREA,
                "logout",
                "logind ends all processes of a session (KillUserProcesses)",
                "loginctl enable-linger, then start the engine again; or run it as a system service",
            ),
        }
    }
}

/// What this machine would do to that user.
#[must_use]
pub fn at_logout(user: Option<&str>) -> AtLogout {
    judge(Path::new("/"), user)
}

fn judge(root: &Path, user: Option<&str>) -> AtLogout {
    if !root.join("run/systemd/seats").exists() && !root.join("run/systemd/users").exists() {
        return AtLogout::Survives;
    }
    // logind keeps an empty file for each user who lingers. A name with a slash could not be one.
    let lingers = user.filter(|user| !user.contains('/')).map(|user| root.join("var/lib/systemd/linger").join(user));
    if lingers.is_some_and(|file| file.exists()) {
        return AtLogout::Lingers;
    }
    if kills_user_processes(root) { AtLogout::Killed } else { AtLogout::Survives }
}

/// `KillUserProcesses` as logind reads it (logind.conf(5)): the main file, then drop-ins by name, the last one counts.
/// The main file as shipped has the built-in default in a comment; without any word of it, systemd's own default is yes.
fn kills_user_processes(root: &Path) -> bool {
    let places =
        ["etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd"].map(|place| root.join(place));
    let main = places.iter().find_map(|place| fs::read_to_string(place.join("logind.conf")).ok()).unwrap_or_default();
    let mut kills = setting(&main, true).or_else(|| setting(&main, false)).unwrap_or(true);
    let mut drop_ins: Vec<PathBuf> = Vec::new();
    for place in &places {
        for entry in fs::read_dir(place.join("logind.conf.d")).into_iter().flatten().flatten() {
            let file = entry.path();
            // An earlier place hides a later one's file of the same name.
            let hidden = drop_ins.iter().any(|known| known.file_name() == file.file_name());
            if file.extension().is_some_and(|extension| extension == "conf") && !hidden {
                drop_ins.push(file);
            }
        }
    }
    drop_ins.sort_by_key(|file| file.file_name().map(ToOwned::to_owned));
    for file in drop_ins {
        let text = fs::read_to_string(file).unwrap_or_default();
        kills = setting(&text, true).unwrap_or(kills);
    }
    kills
}

/// The last `KillUserProcesses=` of a file; `in_force` leaves out commented ones.
fn setting(text: &str, in_force: bool) -> Option<bool> {
    text.lines()
        .map(str::trim)
        .filter(|line| in_force != line.starts_with('#'))
        .filter_map(|line| line.trim_start_matches('#').trim().strip_prefix("KillUserProcesses="))
        .map(|value| matches!(value.trim().to_lowercase().as_str(), "yes" | "true" | "on" | "1"))
        .next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new(files: &[(&str, &str)]) -> Self {
            let machine = Self(tempfile::tempdir().unwrap());
            for (path, text) in files {
                let path = machine.0.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            machine
        }

        fn judge(&self) -> AtLogout {
            judge(self.0.path(), Some("ada"))
        }
    }

    const LOGIND: (&str, &str) = ("run/systemd/seats/seat0", "");

    #[test]
    fn without_logind_an_engine_survives() {
        assert_eq!(Machine::new(&[]).judge(), AtLogout::Survives);
    }

    #[test]
    fn a_user_who_lingers_keeps_the_engine() {
        let machine = Machine::new(&[LOGIND, ("var/lib/systemd/linger/ada", "")]);
        assert_eq!(machine.judge(), AtLogout::Lingers);
    }

    #[test]
    fn the_commented_default_of_the_shipped_file_counts_until_something_is_set() {
        let main = |text| Machine::new(&[LOGIND, ("etc/systemd/logind.conf", text)]).judge();
        assert_eq!(main("[Login]\n#KillUserProcesses=no\n"), AtLogout::Survives);
        assert_eq!(main("[Login]\n#KillUserProcesses=no\nKillUserProcesses=yes\n"), AtLogout::Killed);
        assert_eq!(main("[Login]\n"), AtLogout::Killed, "systemd's own default");
    }

    #[test]
    fn the_last_drop_in_by_name_counts() {
        let machine = Machine::new(&[
            LOGIND,
            ("etc/systemd/logind.conf", "KillUserProcesses=yes\n"),
            ("etc/systemd/logind.conf.d/20-lab.conf", "[Login]\nKillUserProcesses=no\n"),
            ("usr/lib/systemd/logind.conf.d/10-vendor.conf", "[Login]\nKillUserProcesses=yes\n"),
        ]);
        assert_eq!(machine.judge(), AtLogout::Survives);
    }
}
