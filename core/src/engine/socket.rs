//! The workspace's Unix socket: who is connected, what they ask. Facts go to the engine's main loop, which owns every
//! client's outbox; nothing here decides anything about captures.
//!
//! A client that sends nonsense, reads too slowly or vanishes costs nobody else anything: each has its own two threads,
//! a bounded outbox and time limits.

use std::{
    fs, io,
    io::{BufRead, BufReader, Write},
    net::Shutdown,
    os::{
        fd::AsFd,
        unix::{
            fs::{DirBuilderExt, MetadataExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::heap;
use crate::{
    client::software,
    protocol::{ClientLine, EngineLine, Hello, MAX_LINE, PROTOCOL, Refusal, Request},
    store::is_scarcity,
};

/// Connections at once; more is a script gone wild.
const MOST_CLIENTS: usize = 64;
/// Lines that may wait for a slow reader before it is cut off.
const OUTBOX: usize = 2048;
/// A client has so long to say hello, and to take what is written to it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a vanished socket is bound again.
const LOOK: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Between two tries to take a client in where descriptors are scarce.
const BREATH: Duration = Duration::from_millis(200);

/// A connection's number, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u64);

/// What the main loop hears.
#[derive(Debug)]
pub enum FromClients {
    /// The socket is bound here now (at start, and again whenever it had vanished).
    Bound(PathBuf),
    /// It vanished and cannot be bound anywhere.
    Unbound(String),
    Joined(ClientId, Outbox),
    Request {
        client: ClientId,
        id: u64,
        body: Request,
    },
    Left(ClientId),
}

/// The way to one client.
#[derive(Debug)]
pub struct Outbox {
    lines: Sender<Arc<[u8]>>,
    stream: UnixStream,
    /// Ends when everything posted was written, or nobody reads it.
    written: Receiver<Never>,
}

/// Nothing is ever sent: only the channel's end tells something.
#[derive(Debug)]
enum Never {}

impl Outbox {
    /// No more lines: waits until what was posted has gone out, at most until `deadline`.
    pub fn close(self, deadline: Instant) {
        let Self { lines, stream, written } = self;
        drop(lines);
        let _ = written.recv_deadline(deadline);
        let _ = stream.shutdown(Shutdown::Both);
    }

    /// Queues a line. False if the client reads too slowly or is gone: it is cut off then.
    #[must_use]
    pub fn post(&self, line: Arc<[u8]>) -> bool {
        match self.lines.try_send(line) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                let _ = self.stream.shutdown(Shutdown::Both);
                false
            }
        }
    }
}

/// A line as it goes over the socket.
#[must_use]
pub fn encode(line: &EngineLine) -> Arc<[u8]> {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes.into()
}

/// The listening thread.
#[derive(Debug)]
pub struct Socket {
    thread: Option<JoinHandle<()>>,
    wake: UnixStream,
    stop: Arc<AtomicBool>,
}

impl Socket {
    /// Binds in the first of `folders` that can be used, and listens until dropped.
    ///
    /// # Errors
    /// None of the folders can be used; names the last one and why.
    pub fn listen(folders: Vec<PathBuf>, name: String, facts: Sender<FromClients>) -> io::Result<Self> {
        let bound = bind(&folders, &name)?;
        let (wake, woken) = UnixStream::pair()?;
        let stop = Arc::new(AtomicBool::new(false));
        let listening = Listening { folders, name, facts, stop: Arc::clone(&stop), clients: Arc::default(), last: 0 };
        let thread = thread::Builder::new().name("socket".into()).spawn(move || listening.run(bound, &woken))?;
        Ok(Self { thread: Some(thread), wake, stop })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.wake.write_all(b"x");
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A bound listener and how to know that its file is still there.
struct Bound {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Bound {
    fn stands(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode)
    }
}

fn bind(folders: &[PathBuf], name: &str) -> io::Result<Bound> {
    let mut last = io::Error::other("no folder for the socket was given");
    for folder in folders {
        match bind_in(folder, name) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = io::Error::new(error.kind(), format!("{}: {error}", folder.display())),
        }
    }
    Err(last)
}

fn bind_in(folder: &Path, name: &str) -> io::Result<Bound> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = fs::symlink_metadata(folder)?;
    // In /tmp somebody else may have made it first, to listen in.
    if !found.is_dir() || found.uid() != rustix::process::getuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not a folder of yours; remove it"));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    let path = folder.join(name);
    // Only the holder of the dataset's lock comes here, so whatever lies there is left from an engine that is gone.
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    let inode = fs::symlink_metadata(&path)?.ino();
    Ok(Bound { listener, path, inode })
}

struct Listening {
    folders: Vec<PathBuf>,
    name: String,
    facts: Sender<FromClients>,
    stop: Arc<AtomicBool>,
    clients: Arc<AtomicUsize>,
    last: u64,
}

impl Listening {
    fn run(mut self, bound: Bound, woken: &UnixStream) {
        if self.facts.send(FromClients::Bound(bound.path.clone())).is_err() {
            return;
        }
        let mut bound = Some(bound);
        while !self.stop.load(Ordering::Acquire) {
            if let Some(listening) = &bound {
                let mut descriptors = [
                    PollFd::from_borrowed_fd(listening.listener.as_fd(), PollFlags::IN),
                    PollFd::new(woken, PollFlags::IN),
                ];
                let _ = poll(&mut descriptors, Some(&LOOK));
                loop {
                    match listening.listener.accept() {
                        Ok((stream, _)) => self.admit(stream),
                        // Whoever waits goes on waiting, and so does this thread: polling would return at once.
                        Err(error) if is_scarcity(&error) => break thread::sleep(BREATH),
                        Err(_) => break,
                    }
                }
            } else {
                let _ = poll(&mut [PollFd::new(woken, PollFlags::IN)], Some(&LOOK));
            }
            if !bound.as_ref().is_some_and(Bound::stands) && !self.stop.load(Ordering::Acquire) {
                bound = self.bind_again();
            }
        }
        if let Some(bound) = bound {
            let _ = fs::remove_file(&bound.path);
        }
    }

    fn bind_again(&self) -> Option<Bound> {
        match bind(&self.folders, &self.name) {
            Ok(bound) => {
                let _ = self.facts.send(FromClients::Bound(bound.path.clone()));
                Some(bound)
            }
            Err(error) => {
                let _ = self.facts.send(FromClients::Unbound(error.to_string()));
                None
            }
        }
    }

    /// Gives the connection its threads.
    fn admit(&mut self, stream: UnixStream) {
        let own = rustix::process::getuid();
        let theirs = rustix::net::sockopt::socket_peercred(&stream).map(|peer| peer.uid);
        if theirs != Ok(own) {
            refuse(&stream, "this workspace belongs to another user", "ask its owner");
            return;
        }
        if self.clients.load(Ordering::Acquire) >= MOST_CLIENTS {
            refuse(&stream, "too many clients are connected", "close some of them");
            return;
        }
        self.last += 1;
        let id = ClientId(self.last);
        let facts = self.facts.clone();
        let count = Arc::clone(&self.clients);
        count.fetch_add(1, Ordering::AcqRel);
        let spawned = heap::passing_thread(format!("client-{}", self.last)).spawn(move || {
            serve(id, stream, &facts);
            count.fetch_sub(1, Ordering::AcqRel);
        });
        if spawned.is_err() {
            self.clients.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn refuse(mut stream: &UnixStream, message: &str, hint: &str) {
    let line = encode(&EngineLine::Refused(Refusal { message: message.into(), hint: hint.into() }));
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let _ = stream.write_all(&line);
    let _ = stream.shutdown(Shutdown::Both);
}

/// One client, from its hello to its end.
fn serve(id: ClientId, stream: UnixStream, facts: &Sender<FromClients>) {
    let prepare = || -> io::Result<(BufReader<UnixStream>, UnixStream, UnixStream)> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok((BufReader::new(stream.try_clone()?), stream.try_clone()?, stream.try_clone()?))
    };
    let Ok((mut reader, writing, cutting)) = prepare() else { return };
    match read_line(&mut reader) {
        Ok(Some(ClientLine::Hello(hello))) if hello.protocol == PROTOCOL => {}
        Ok(Some(ClientLine::Hello(hello))) => {
            let message = format!("this engine speaks protocol {PROTOCOL}, the client {}", hello.protocol);
            return refuse(&stream, &message, "use the client that belongs to the engine, or restart the engine");
        }
        Ok(Some(ClientLine::Request { .. })) => {
            let hint = format!(r#"{{"hello":{{"protocol":{PROTOCOL},"software":"…","pid":1}}}}"#);
            return refuse(&stream, "the first line must be a hello", &hint);
        }
        Ok(None) => return,
        Err(reason) => return refuse(&stream, &reason, "one JSON object a line, a hello first"),
    }
    let (lines, waiting) = bounded(OUTBOX);
    let hello = EngineLine::Hello(Hello { protocol: PROTOCOL, software: software(), pid: std::process::id() });
    if lines.send(encode(&hello)).is_err() || stream.set_read_timeout(None).is_err() {
        return;
    }
    let (unwritten, written) = bounded::<Never>(0);
    let writer = heap::passing_thread("client-writer".into()).spawn(move || {
        write_lines(&writing, &waiting);
        drop(unwritten);
    });
    let joined = facts.send(FromClients::Joined(id, Outbox { lines, stream: cutting, written }));
    if joined.is_err() || writer.is_err() {
        return;
    }
    let reason = loop {
        match read_line(&mut reader) {
            Ok(Some(ClientLine::Request { id: request, body })) => {
                if facts.send(FromClients::Request { client: id, id: request, body }).is_err() {
                    break None;
                }
            }
            Ok(Some(ClientLine::Hello(_))) => break Some("a second hello".to_owned()),
            Ok(None) => break None,
            Err(reason) => break Some(reason),
        }
    };
    if let Some(reason) = reason {
        refuse(&stream, &reason, "one JSON object a line; see `ferrule events --json` for examples");
    }
    let _ = stream.shutdown(Shutdown::Both);
    let _ = facts.send(FromClients::Left(id));
    if let Ok(writer) = writer {
        let _ = writer.join();
    }
}

fn write_lines(mut stream: &UnixStream, waiting: &Receiver<Arc<[u8]>>) {
    for line in waiting {
        if stream.write_all(&line).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

fn read_line(reader: &mut impl BufRead) -> Result<Option<ClientLine>, String> {
    let mut line = Vec::new();
    match io::Read::take(reader, MAX_LINE as u64).read_until(b'\n', &mut line) {
        Ok(0) => Ok(None),
        Ok(_) if line.last() != Some(&b'\n') => Err(format!("a line is cut off or longer than {MAX_LINE} bytes")),
        Ok(_) => serde_json::from_slice(&line).map(Some).map_err(|error| format!("not understood: {error}")),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err("no hello came in time".into())
        }
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;

    const LIMIT: Duration = Duration::from_secs(20);

    fn listening() -> (tempfile::TempDir, Socket, Receiver<FromClients>, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (sender, facts) = unbounded();
        let socket = Socket::listen(vec![folder.path().join("run")], "x.sock".into(), sender).unwrap();
        let FromClients::Bound(path) = facts.recv_timeout(LIMIT).unwrap() else { panic!("not bound") };
        (folder, socket, facts, path)
    }

    fn say(path: &Path, line: &str) -> (UnixStream, String) {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut answer).unwrap();
        (stream, answer)
    }

    fn hello(protocol: u32) -> String {
        format!("{{\"hello\":{{\"protocol\":{protocol},\"software\":\"test\",\"pid\":1}}}}\n")
    }

    #[test]
    fn nonsense_is_refused_and_costs_the_others_nothing() {
        let (_folder, _socket, facts, path) = listening();
        let (_, answer) = say(&path, "GET / HTTP/1.1\n");
        assert!(answer.contains("refused") && answer.contains("not understood"), "{answer}");
        let (_, answer) = say(&path, &hello(99));
        assert!(answer.contains(&format!("speaks protocol {PROTOCOL}")), "{answer}");
        let (_stream, answer) = say(&path, &hello(PROTOCOL));
        assert!(answer.starts_with("{\"hello\""), "{answer}");
        assert!(matches!(facts.recv_timeout(LIMIT).unwrap(), FromClients::Joined(..)));
    }

    #[test]
    fn what_was_posted_goes_out_before_the_end() {
        let (_folder, _socket, facts, path) = listening();
        for _ in 0..200 {
            let (stream, _) = say(&path, &hello(PROTOCOL));
            let FromClients::Joined(_, outbox) = facts.recv_timeout(LIMIT).unwrap() else { panic!("not joined") };
            for line in ["first\n", "last\n"] {
                assert!(outbox.post(line.as_bytes().into()));
            }
            outbox.close(Instant::now() + LIMIT);
            // Nothing can arrive any more that is not here already.
            stream.set_nonblocking(true).unwrap();
            let lines: Vec<String> = BufReader::new(stream).lines().map_while(Result::ok).collect();
            assert_eq!(lines, ["first", "last"]);
            let FromClients::Left(_) = facts.recv_timeout(LIMIT).unwrap() else { panic!("not left") };
        }
    }

    #[test]
    fn a_client_that_reads_too_slowly_is_cut_off() {
        let (_folder, _socket, facts, path) = listening();
        let (_stream, _) = say(&path, &hello(PROTOCOL));
        let FromClients::Joined(_, outbox) = facts.recv_timeout(LIMIT).unwrap() else { panic!("not joined") };
        let line: Arc<[u8]> = vec![b'x'; 65_536].into();
        let posted = (0..OUTBOX * 4).take_while(|_| outbox.post(Arc::clone(&line))).count();
        assert!(posted < OUTBOX * 4, "the outbox is bounded");
        assert!(matches!(facts.recv_timeout(LIMIT).unwrap(), FromClients::Left(_)));
    }

    #[test]
    fn a_vanished_socket_is_bound_again_even_with_its_folder() {
        let (folder, _socket, facts, path) = listening();
        fs::remove_dir_all(folder.path().join("run")).unwrap();
        let FromClients::Bound(again) = facts.recv_timeout(LIMIT).unwrap() else { panic!("not bound again") };
        assert_eq!(again, path);
        assert!(say(&path, &hello(PROTOCOL)).1.starts_with("{\"hello\""));
    }

    #[test]
    fn the_socket_is_for_its_owner_alone() {
        let (folder, socket, _facts, path) = listening();
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&folder.path().join("run")), mode(&path)), (0o700, 0o600));
        drop(socket);
        assert!(!path.exists(), "it leaves nothing behind");
    }
}
