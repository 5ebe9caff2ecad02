//! Who may do what: another user of the machine, a worker, the network.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests end that way")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    io::{BufRead, BufReader, Write},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixStream,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use ferrule_core::protocol::PROTOCOL;
use ferrule_tests::{Lab, children, text};

/// `nobody`, who exists on every Linux and owns nothing.
const ANOTHER: u32 = 65_534;

/// Does this as another user, which takes root. `None`, and a notice, where the tests do not run as root.
fn as_another_user(what: &str, work: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Option<io::Result<()>> {
    if !rustix::process::getuid().is_root() {
        eprintln!("notice: NOT RUN as another user, for which the tests must run as root: {what}; modes are checked");
        return None;
    }
    let mut child = Command::new("/bin/true");
    child.uid(ANOTHER).gid(ANOTHER);
    // SAFETY: between fork and exec it only makes system calls and allocates, for which glibc's allocator is ready.
    unsafe { child.pre_exec(work) };
    Some(child.status().map(|status| assert!(status.success(), "{what}")))
}

fn refused(what: &str, outcome: Option<io::Result<()>>) {
    if let Some(outcome) = outcome {
        let error = outcome.expect_err(what);
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{what}: {error}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).mode() & 0o7777
}

fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn socket(lab: &Lab) -> PathBuf {
    let folder = lab.runtime().join("ferrule");
    let found = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    found.into_iter().find(|path| path.symlink_metadata().unwrap().file_type().is_socket()).unwrap()
}

#[test]
fn another_user_can_neither_connect_nor_read_nor_write() {
    let lab = Lab::new();
    let _engine = lab.start_engine();
    lab.simulate(&lab.captures(), 1, "burst-v1", 3);
    lab.wait_done(1);
    // The way to the workspace is open, as in a shared folder: what protects it must be its own.
    for folder in [lab.root().to_owned(), lab.workspace.clone(), lab.runtime()] {
        open_to_all(&folder, 0o755);
    }
    let (database, log, socket) =
        (lab.dataset().join("index.sqlite"), lab.workspace.join(".ferrule/engine.log"), socket(&lab));
    assert_eq!([mode(&lab.dataset()), mode(&lab.workspace.join(".ferrule"))], [0o700, 0o700]);
    assert_eq!([mode(&socket), mode(socket.parent().unwrap())], [0o600, 0o700]);
    assert_eq!(mode(&lab.dataset().join("engine.lock")), 0o600);
    for file in [database.clone(), log, lab.dataset().join("engine.lock")] {
        refused("reading", as_another_user("reading", move || fs::File::open(&file).map(drop)));
    }
    let new = lab.dataset().join("images/planted.png");
    refused("writing", as_another_user("writing", move || fs::write(&new, b"planted")));
    let plugin = lab.workspace.join("plugins/planted.so");
    refused("a plug-in", as_another_user("a plug-in", move || fs::write(&plugin, b"planted")));
    let path = socket.clone();
    refused("connecting", as_another_user("connecting", move || UnixStream::connect(&path).map(drop)));
    // Even where somebody opened the way to the socket, the engine asks the kernel who is there.
    open_to_all(socket.parent().unwrap(), 0o777);
    open_to_all(&socket, 0o666);
    let answered = as_another_user("being heard", move || {
        let mut stream = UnixStream::connect(&socket)?;
        // It may have hung up already.
        let hello = format!("{{\"hello\":{{\"protocol\":{PROTOCOL},\"software\":\"test\",\"pid\":1}}}}\n");
        drop(stream.write_all(hello.as_bytes()));
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        if line.contains("belongs to another user") { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
    });
    if let Some(answered) = answered {
        answered.expect("it is told that the workspace is not its own");
    }
    assert!(lab.status().is_some(), "its owner is heard all the same");
}

#[test]
fn an_engine_does_not_start_where_others_could_change_what_it_runs() {
    let lab = Lab::new();
    for (path, bad, good) in [(lab.workspace.join("ferrule.toml"), 0o666, 0o644), (lab.workspace.clone(), 0o777, 0o755)]
    {
        open_to_all(&path, bad);
        let output = lab.run(&["engine"]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(text(&output).contains("Run: chmod"), "{}", text(&output));
        open_to_all(&path, good);
    }
    if rustix::process::getuid().is_root() {
        // Root may read everybody's files; an engine of root must not do what they say.
        let settings = lab.workspace.join("ferrule.toml");
        std::os::unix::fs::chown(&settings, Some(ANOTHER), None).unwrap();
        let output = lab.run(&["engine"]);
        assert!(text(&output).contains("belongs to user 65534"), "{}", text(&output));
        std::os::unix::fs::chown(&settings, Some(0), None).unwrap();
    }
    let _engine = lab.start_engine();
}

/// What a worker is given to know, narrow or wide; the table in RELIABILITY.md.
const ENVIRONMENT: [&str; 11] = [
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "MALLOC_ARENA_MAX",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONNOUSERSITE",
    "RUST_BACKTRACE",
    "TMPDIR",
];

#[test]
fn a_worker_inherits_its_line_and_nothing_of_its_surroundings() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 2, "burst-v1", 3);
    lab.wait_done(2);
    let promises = include_str!("../../RELIABILITY.md");
    for name in ENVIRONMENT {
        assert!(promises.contains(&format!("`{name}`")), "RELIABILITY.md does not list {name}");
    }
    let workers = children(engine.pid());
    assert!(!workers.is_empty());
    for worker in workers {
        let process = PathBuf::from(format!("/proc/{worker}"));
        let environment = fs::read(process.join("environ")).unwrap();
        let names: BTreeSet<&str> = environment
            .split(|byte| *byte == 0)
            .filter(|entry| !entry.is_empty())
            .map(|entry| std::str::from_utf8(entry).unwrap().split('=').next().unwrap())
            .collect();
        let narrow: BTreeSet<&str> = ["LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "RUST_BACKTRACE"].into();
        assert!(names.is_subset(&narrow), "{names:?}");
        let descriptors: BTreeMap<i32, String> = fs::read_dir(process.join("fd"))
            .unwrap()
            .flatten()
            .filter_map(|entry| {
                let target = fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
                Some((entry.file_name().to_str()?.parse().ok()?, target))
            })
            .collect();
        // It moves its line away from standard input, where a library could read from it.
        let of = |kind: &str| descriptors.values().filter(|target| target.starts_with(kind)).count();
        assert_eq!((of("socket:"), of("pipe:")), (1, 1), "{descriptors:?}");
        for target in descriptors.values() {
            let listed = ["/dev/null", "socket:", "pipe:", "/memfd:", "anon_inode:"];
            assert!(
                listed.iter().any(|kind| target.starts_with(kind)),
                "worker {worker} holds {target}: {descriptors:?}"
            );
        }
        let of_the_engine = |target: &str| target.contains("index.sqlite") || target.contains("engine.l");
        assert!(!descriptors.values().any(|target| of_the_engine(target)), "{descriptors:?}");
    }
}

#[test]
fn nothing_listens_on_a_network() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 1, "burst-v1", 3);
    lab.wait_done(1);
    let mut processes = children(engine.pid());
    processes.push(engine.pid());
    let sockets: BTreeSet<u64> = processes
        .iter()
        .flat_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten())
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect();
    assert!(!sockets.is_empty(), "an engine has a socket for its clients");
    // The inode is the tenth field of tcp and udp, the ninth of raw, packet and the like have other forms.
    for table in ["tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6"] {
        let Ok(lines) = fs::read_to_string(format!("/proc/{}/net/{table}", engine.pid())) else { continue };
        for line in lines.lines().skip(1) {
            let inode: u64 = line.split_whitespace().nth(9).and_then(|field| field.parse().ok()).unwrap_or(0);
            assert!(!sockets.contains(&inode), "{table}: {line}");
        }
    }
    let unix = fs::read_to_string(format!("/proc/{}/net/unix", engine.pid())).unwrap();
    let listening: Vec<&str> = unix
        .lines()
        .skip(1)
        .filter(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Flags of a socket that listens (include/uapi/linux/net.h, __SO_ACCEPTCON).
            fields.get(3) == Some(&"00010000")
                && fields.get(6).and_then(|field| field.parse().ok()).is_some_and(|inode| sockets.contains(&inode))
        })
        .collect();
    assert_eq!(listening.len(), 1, "the one socket for its clients: {listening:?}");
}
