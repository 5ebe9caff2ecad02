//! The system calls that a worker gives up: whatever starts, stops, traces or reaches another process, connects, changes
//! the machine, or deletes, renames or relabels a file. Called by [`super::sandbox`].
//!
//! A deny list, not an allow list: plug-ins bring their own runtimes, and a call that is missing from an allow list
//! shows up as a crash on somebody else's machine. Deleting is here as well, for kernels without Landlock.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::host::card::Profile;

/// Refused in every worker, whatever their arguments.
const REFUSED: &[c_long] = &[
    // tracing processes, and signals past the kernel's own check; `tgkill` stays, abort needs it
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    // the engine kills the whole process group
    libc::SYS_setpgid,
    libc::SYS_setsid,
    // connecting; io_uring would go round this filter
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // relabelling
    libc::SYS_mknodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // the machine
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_by_handle_at,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

/// Also refused in a narrow worker, which starts nothing and leaves every file as it is. A wide one brings runtimes along
/// that do both; it is Landlock that keeps them to their own.
const REFUSED_IN_NARROW: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_kill,
    libc::SYS_pidfd_open,
    libc::SYS_socketpair,
    // deleting, renaming, relabelling
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_utimensat,
];

/// Older forms of both that only some machines have.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[c_long] =
    &[libc::SYS_mknod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_kexec_file_load];
#[cfg(target_arch = "x86_64")]
const REFUSED_IN_NARROW_HERE: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_unlink,
    libc::SYS_rmdir,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_chmod,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[c_long] = &[];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_IN_NARROW_HERE: &[c_long] = &[];

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Puts the filter over the calling thread and all threads and processes that it starts.
///
/// # Errors
/// A kernel without seccomp, a machine that the filter compiler does not know.
pub fn apply(profile: Profile) -> Result<(), seccompiler::Error> {
    let mut refused: Rules = REFUSED.iter().chain(REFUSED_HERE).map(|call| (*call, Vec::new())).collect();
    if profile == Profile::Narrow {
        // "Not there" makes the C library start threads with the older `clone`, whose flags a filter can see.
        let unseen: Rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
        seccompiler::apply_filter(&program(unseen, libc::ENOSYS)?)?;
        refused.extend(REFUSED_IN_NARROW.iter().chain(REFUSED_IN_NARROW_HERE).map(|call| (*call, Vec::new())));
        let thread = libc::CLONE_THREAD as u64;
        let new_process = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(thread), 0)?;
        refused.insert(libc::SYS_clone, vec![SeccompRule::new(vec![new_process])?]);
    }
    // Nobody outlives the engine; a runtime may ask its own children to die with it.
    let equals =
        |argument, value: u64| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    let mut outlive = vec![equals(0, libc::PR_SET_PDEATHSIG as u64)?];
    if profile == Profile::Wide {
        outlive.push(equals(1, 0)?);
    }
    refused.insert(libc::SYS_prctl, vec![SeccompRule::new(outlive)?]);
    seccompiler::apply_filter(&program(refused, libc::EPERM)?)
}

/// Answers the listed calls with `errno` and lets all others pass.
fn program(rules: Rules, errno: i32) -> Result<BpfProgram, BackendError> {
    let machine = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno.cast_unsigned()), machine)?.try_into()
}
