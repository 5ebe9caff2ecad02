//! What the kernel offers, and what of it is in force in a worker.

use super::{Finding, first_line};
use crate::worker::{arguments::WorkerProgram, sandbox::SandboxReport};

const AREA: &str = "kernel";

/// A lab's microscopes rarely make more folders; each watched folder takes one watch.
const FEW_WATCHES: u64 = 8192;

/// The kernel and the calls that the engine needs.
#[must_use]
pub fn kernel() -> Vec<Finding> {
    let release = first_line("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".into());
    let itself = rustix::process::getpid();
    let pidfd = match rustix::process::pidfd_open(itself, rustix::process::PidfdFlags::empty()) {
        Ok(_) => Finding::ok(AREA, "pidfd", "the death of a worker is noticed at once"),
        Err(error) => {
            Finding::problem(AREA, "pidfd", error.to_string(), "workers cannot be watched: use Linux 5.3 or newer")
        }
    };
    vec![Finding::ok(AREA, "release", release), pidfd]
}

/// How many folders can be watched.
#[must_use]
pub fn inotify() -> Vec<Finding> {
    let number =
        |name: &str| first_line(&format!("/proc/sys/fs/inotify/{name}")).and_then(|text| text.parse::<u64>().ok());
    let (Some(watches), Some(instances)) = (number("max_user_watches"), number("max_user_instances")) else {
        let remedy = "sources are found by listing them; set `poll = true` to say so";
        return vec![Finding::notice(AREA, "inotify", "not in this kernel", remedy)];
    };
    let value = format!("{watches} folders, {instances} watchers for this user");
    if watches < FEW_WATCHES {
        let remedy = "deep sources may need more: sysctl fs.inotify.max_user_watches=65536";
        return vec![Finding::notice(AREA, "inotify", value, remedy)];
    }
    vec![Finding::ok(AREA, "inotify", value)]
}

/// What is in force in a worker: told by one that is started for it.
#[must_use]
pub fn sandbox(program: &WorkerProgram) -> Vec<Finding> {
    match crate::host::probe::sandbox(program) {
        Ok(report) => findings(&report),
        Err(error) => {
            let remedy = format!("captures cannot be inspected: is {} whole?", program.executable.display());
            vec![Finding::problem("sandbox", "worker", format!("does not start: {error}"), remedy)]
        }
    }
}

fn findings(report: &SandboxReport) -> Vec<Finding> {
    const AREA: &str = "sandbox";
    let part = |name: &str, there: bool, value: &str, without: &str| match there {
        true => Finding::ok(AREA, name, value),
        false => {
            let missing = report.missing.iter().find(|line| line.to_lowercase().starts_with(&name.to_lowercase()));
            let reason = missing.map_or("not in force", String::as_str);
            Finding::notice(AREA, name, reason, without)
        }
    };
    let landlock = report.landlock_abi.map(|version| format!("version {version}: writes only to staging"));
    vec![
        part(
            "Landlock",
            landlock.is_some(),
            landlock.as_deref().unwrap_or_default(),
            "a plug-in could write wherever you can: use Linux 5.13 or newer with Landlock, and plug-ins you trust",
        ),
        part(
            "seccomp",
            report.seccomp,
            "starts, kills and connects to nothing",
            "a plug-in could start programs: use a kernel with seccomp, and plug-ins you trust",
        ),
        part(
            "no new privileges",
            report.no_new_privileges,
            "set",
            "a plug-in could gain privileges: use Linux 3.5 or newer",
        ),
        part(
            "die with the engine",
            report.dies_with_engine,
            "set",
            "workers may outlive a killed engine: end them by hand",
        ),
        part(
            "memory limit",
            report.memory_mb.is_some(),
            "set",
            "only the engine watches the memory of workers; a fast plug-in may take much before it is ended",
        ),
        part(
            "be killed first",
            report.killed_first,
            "set",
            "when memory runs out, the kernel may end the engine before a worker",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn what_is_not_in_force_is_named_with_its_reason_and_a_remedy() {
        let report =
            SandboxReport { seccomp: true, missing: vec!["Landlock: not in this kernel".into()], ..Default::default() };
        let found = findings(&report);
        let landlock = found.iter().find(|finding| finding.name == "Landlock").unwrap();
        assert_eq!(landlock.value, "Landlock: not in this kernel");
        assert!(landlock.remedy.is_some());
        assert_eq!(found.iter().filter(|finding| finding.state == State::Ok).count(), 1);
    }

    #[test]
    fn this_kernel_is_described() {
        let names: Vec<_> = kernel().into_iter().chain(inotify()).map(|finding| finding.name).collect();
        assert_eq!(names, ["release", "pidfd", "inotify"]);
    }
}
