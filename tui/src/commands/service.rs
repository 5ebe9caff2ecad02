//! `ferrule service`: a unit for the user's systemd that keeps a workspace's engine running.

use std::path::Path;

use clap::Args;
use ferrule_core::workspace::Workspace;

use crate::{
    environment,
    failure::Failure,
    output::{self, Output},
    place::Place,
};

/// Print a systemd unit that runs the workspace's engine for its user
///
/// The unit goes to ~/.config/systemd/user; the lines on standard error say how it is put to work.
#[derive(Debug, Args)]
pub struct Service {
    #[command(flatten)]
    place: Place,
}

impl Service {
    pub fn run(self) -> Result<(), Failure> {
        let (workspace, _) = self.place.configured()?;
        let binary = environment::executable()
            .map_err(|error| Failure::failed(format!("this binary cannot be found: {error}")))?;
        let mut output = Output::new();
        output.bytes(unit(&binary, &workspace)?.as_bytes())?;
        output.flush()?;
        let name = name_of(&workspace);
        output::remark(&format!(
            "put this at ~/.config/systemd/user/{name}, then: systemctl --user daemon-reload; systemctl --user enable --now \
             {name}; and, so that it runs without a login: loginctl enable-linger"
        ));
        Ok(())
    }
}

/// `ferrule-bench.service` for a workspace in `…/bench`.
fn name_of(workspace: &Workspace) -> String {
    let name = workspace.root().file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    format!("ferrule-{}.service", name.chars().map(plain).collect::<String>())
}

fn unit(binary: &Path, workspace: &Workspace) -> Result<String, Failure> {
    let (binary, root) = (word(binary)?, word(workspace.root())?);
    // `systemctl stop` lets the captures in hand come to their end, for which an engine takes 20 s at most. Status 2 says
    // that settings are wrong, which no restart mends. No number of failures makes systemd give up: a disk that comes back
    // after an hour finds its engine there again. What a worker does is confined by the engine already.
    Ok(format!(
        "[Unit]
Description=Ferrule: inspection of connector end faces
Documentation=man:ferrule(1)
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={binary} engine {root}
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2
KillMode=mixed
TimeoutStopSec=60
NoNewPrivileges=yes
UMask=0077
LimitNOFILE=8192

[Install]
WantedBy=default.target
"
    ))
}

/// A path as one word of a command line in a unit (systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers").
fn word(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control)).ok_or_else(|| {
        Failure::wrong(format!("{}: a unit cannot name such a path", ferrule_core::names::display(path)))
            .hint("move the workspace to a path of printable UTF-8")
    })?;
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    Ok(format!("\"{escaped}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_never_given_up_however_long_a_disk_is_away() {
        let unit = unit(Path::new("/opt/ferrule"), &Workspace::at("/srv/bench")).unwrap();
        let section = unit.split("[Service]").next().unwrap();
        assert!(section.lines().any(|line| line == "StartLimitIntervalSec=0"), "{section}");
        assert!(
            unit.lines().any(|line| line == "Restart=on-failure") && unit.lines().any(|line| line == "RestartSec=2")
        );
    }

    #[test]
    fn a_unit_names_binary_and_workspace_whatever_is_in_their_paths() {
        let workspace = Workspace::at("/srv/lab $1/50 % \"new\"");
        let unit = unit(Path::new("/opt/ferrule/bin/ferrule"), &workspace).unwrap();
        let line = unit.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
        assert_eq!(line, r#"ExecStart="/opt/ferrule/bin/ferrule" engine "/srv/lab $$1/50 %% \"new\"""#);
        assert_eq!(name_of(&workspace), "ferrule-50----new-.service");
        assert!(word(Path::new("/srv/a\nExecStart=b")).is_err(), "a line feed would begin another line");
    }
}
