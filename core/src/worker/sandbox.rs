//! What a worker takes away from itself before it loads the first plug-in: outliving its engine, new privileges, memory
//! without end, writing anywhere but in its staging folder, and system calls that reach other processes.
//!
//! Best effort where a kernel lacks something: a worker without Landlock still inspects, and the report says so. Must run
//! while the process has one thread. Called by [`super::child`].

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, Signal};
use serde::{Deserialize, Serialize};

use super::{
    arguments::{Arguments, Limits},
    filter,
};
use crate::host::card::Profile;

/// What is in force in a worker; `ferrule doctor` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxReport {
    /// Killed by the kernel when its engine dies.
    pub dies_with_engine: bool,
    pub no_new_privileges: bool,
    /// Version of the kernel's Landlock interface that confines writing to staging; `None` where there is none.
    pub landlock_abi: Option<u32>,
    /// System calls that start, kill, trace or connect are refused.
    pub seccomp: bool,
    /// Limit of the data segment.
    pub memory_mb: Option<u64>,
    /// First to go when the machine runs out of memory.
    pub killed_first: bool,
    /// What could not be had, one line each.
    pub missing: Vec<String>,
}

/// The engine died before the worker could ask to die with it.
#[derive(Debug, thiserror::Error)]
#[error("the process that started this worker is gone")]
pub struct Orphan;

/// The largest file that a worker may write: a mask of a hundred megapixels as NPY is a tenth of it.
const MAX_WRITTEN_BYTES: u64 = 1 << 30;
/// Of a wide one: the feed of a training holds every picture of a dataset.
const MAX_WIDE_BYTES: u64 = 256 << 30;

/// The newest Landlock whose rights are asked for; older kernels enforce what they know.
const NEWEST: ABI = ABI::V6;

impl SandboxReport {
    /// Notes what could not be had; `Some` when it could.
    fn had<T, E: std::fmt::Display>(&mut self, what: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.missing.push(format!("{what}: {error}"))).ok()
    }
}

/// Enters the sandbox. There is no way out.
///
/// # Errors
/// The engine is already gone; the worker must end.
pub fn enter(arguments: &Arguments) -> Result<SandboxReport, Orphan> {
    let mut report = SandboxReport::default();
    let asked = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    report.dies_with_engine = report.had("die with the engine", asked).is_some();
    // Only now: an engine that died before the line above will send no signal.
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
    if parent != Some(arguments.parent) {
        return Err(Orphan);
    }
    report.no_new_privileges = report.had("no new privileges", rustix::thread::set_no_new_privs(true)).is_some();
    limit(arguments, &mut report);
    report.killed_first = report.had("be killed first", std::fs::write("/proc/self/oom_score_adj", "1000")).is_some();
    let confined = confine_writing(arguments.staging.as_deref(), arguments.profile);
    match report.had("Landlock", confined) {
        Some(Some(version)) => report.landlock_abi = Some(version),
        Some(None) => report.missing.push("Landlock: not in this kernel, so writing is not confined".into()),
        None => {}
    }
    report.seccomp = report.had("seccomp", filter::apply(arguments.profile)).is_some();
    Ok(report)
}

fn limit(arguments: &Arguments, report: &mut SandboxReport) {
    let limits: &Limits = &arguments.limits;
    let lower = |resource, maximum: u64| {
        // Lowering the hard limit too means that no plug-in can raise it again.
        let limit = Rlimit { current: Some(maximum), maximum: Some(maximum) };
        rustix::process::setrlimit(resource, limit)
    };
    // Not the address space: sixteen idle threads of a plug-in show a gigabyte of it.
    let written = if arguments.profile == Profile::Wide { MAX_WIDE_BYTES } else { MAX_WRITTEN_BYTES };
    let memory = lower(Resource::Data, limits.memory_mb.saturating_mul(1 << 20));
    report.memory_mb = report.had("memory limit", memory).map(|()| limits.memory_mb);
    report.had("no core files", lower(Resource::Core, 0));
    report.had("file size limit", lower(Resource::Fsize, written));
}

/// Confines writing to `staging`, connections to nothing, and signals to what this process starts. A wide worker may also
/// write to devices: a GPU is one. `None` on a kernel without Landlock.
fn confine_writing(staging: Option<&Path>, profile: Profile) -> Result<Option<u32>, RulesetError> {
    let writing = AccessFs::from_write(NEWEST);
    let mut ruleset = Ruleset::default()
        .handle_access(writing)?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    // A folder that cannot be opened is one that nothing can be written to; the first artefact will say so.
    if let Some(folder) = staging.and_then(|staging| PathFd::new(staging).ok()) {
        ruleset = ruleset.add_rule(PathBeneath::new(folder, writing))?;
    }
    for device in devices(profile).iter().filter_map(|device| PathFd::new(device).ok()) {
        ruleset = ruleset.add_rule(PathBeneath::new(device, AccessFs::WriteFile | AccessFs::IoctlDev))?;
    }
    let status = ruleset.restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } if status.ruleset != RulesetStatus::NotEnforced => {
            Some(effective_abi as u32)
        }
        _ => None,
    })
}

/// Devices that may be written to. Graphics processors for a wide worker: NVIDIA's, then everybody else's.
fn devices(profile: Profile) -> Vec<PathBuf> {
    let mut devices = vec![PathBuf::from("/dev/null")];
    if profile == Profile::Wide {
        devices.extend(["/dev/zero", "/dev/dri", "/dev/kfd"].map(PathBuf::from));
        let nvidia =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"nvidia"));
        let all = std::fs::read_dir("/dev").into_iter().flatten().flatten().map(|entry| entry.path());
        devices.extend(all.filter(nvidia));
    }
    devices
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Both restrict the calling thread alone, so each test sacrifices one.
    fn in_a_thread_of_its_own<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(work).join().unwrap()
    }

    #[test]
    fn writing_is_confined_to_staging_where_the_kernel_can() {
        let folder = tempfile::tempdir().unwrap();
        let (staging, captures) = (folder.path().join("staging"), folder.path().join("captures"));
        fs::create_dir(&staging).unwrap();
        fs::create_dir(&captures).unwrap();
        fs::write(captures.join("a.png"), "picture").unwrap();
        let capture = captures.join("a.png");
        in_a_thread_of_its_own(move || {
            let in_force = confine_writing(Some(&staging), Profile::Narrow).unwrap();
            fs::create_dir(staging.join("job")).unwrap();
            fs::write(staging.join("job").join("mask.png"), "mask").unwrap();
            assert_eq!(fs::read(&capture).unwrap(), b"picture", "reading stays free");
            if in_force.is_some() {
                assert!(fs::remove_file(&capture).is_err());
                assert!(fs::write(&capture, "gone").is_err());
                assert!(fs::write(captures.join("new"), "").is_err());
            }
        });
    }

    #[test]
    fn the_filter_refuses_to_start_kill_connect_and_delete() {
        in_a_thread_of_its_own(|| {
            filter::apply(Profile::Narrow).unwrap();
            let denied = |result: std::io::Result<()>| {
                assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
            };
            denied(std::process::Command::new("/bin/true").spawn().map(drop));
            denied(std::os::unix::net::UnixStream::connect("/run/any.sock").map(drop));
            denied(std::net::UdpSocket::bind("127.0.0.1:0").map(drop));
            denied(fs::remove_file("/nowhere"));
            denied(fs::rename("/nowhere", "/elsewhere"));
            denied(fs::set_permissions("/nowhere", std::os::unix::fs::PermissionsExt::from_mode(0o777)));
            let myself = rustix::process::getpid();
            denied(rustix::process::kill_process(myself, Signal::CONT).map_err(Into::into));
            denied(rustix::process::set_parent_process_death_signal(None).map_err(Into::into));
        });
    }

    #[test]
    fn threads_still_start_under_the_filter() {
        let answer = in_a_thread_of_its_own(|| {
            filter::apply(Profile::Narrow).unwrap();
            std::thread::spawn(|| 42).join().unwrap()
        });
        assert_eq!(answer, 42);
    }

    #[test]
    fn a_wide_worker_starts_programs_and_deletes_its_own_files_and_still_connects_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (staging, capture) = (folder.path().join("staging"), folder.path().join("a.png"));
        fs::create_dir(&staging).unwrap();
        fs::write(&capture, "picture").unwrap();
        in_a_thread_of_its_own(move || {
            let confined = confine_writing(Some(&staging), Profile::Wide).unwrap().is_some();
            filter::apply(Profile::Wide).unwrap();
            let own = staging.join("cache");
            fs::write(&own, "").unwrap();
            fs::remove_file(own).unwrap();
            assert!(std::process::Command::new("/bin/true").status().unwrap().success());
            assert!(std::os::unix::net::UnixStream::pair().is_ok(), "runtimes talk to their own children");
            let denied = std::net::UdpSocket::bind("127.0.0.1:0").unwrap_err();
            assert_eq!(denied.kind(), std::io::ErrorKind::PermissionDenied);
            if confined {
                assert!(fs::remove_file(&capture).is_err());
                assert!(fs::rename(&capture, staging.join("stolen")).is_err());
                assert!(fs::write(&capture, "").is_err());
            }
        });
    }
}
