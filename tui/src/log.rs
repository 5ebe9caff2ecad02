//! The engine's log: `.ferrule/engine.log`, begun anew past its size with the one before it kept beside it.
//!
//! Called by `ferrule engine` alone. Clients write no log, and nothing writes to a terminal that shows the workbench.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

/// A file that never grows beyond its limit.
pub struct CappedLog {
    inner: Mutex<Inner>,
}

struct Inner {
    path: PathBuf,
    file: File,
    bytes: u64,
    limit: u64,
}

impl CappedLog {
    /// Goes on with the log at `path`.
    pub fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = append(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { inner: Mutex::new(Inner { path: path.to_owned(), file, bytes, limit }) })
    }

    /// Where the log before this one is.
    pub fn before(path: &Path) -> PathBuf {
        path.with_extension("log.1")
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Inner {
    /// A line is never split over two files.
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.limit {
            // Where the new one cannot be begun (a disk that takes no more), the old one goes on rather than none.
            match fs::rename(&self.path, CappedLog::before(&self.path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            self.file = append(&self.path)?;
            self.bytes = 0;
        }
        self.bytes += line.len() as u64;
        self.file.write_all(line)
    }
}

/// One line on its way.
pub struct Line<'a>(&'a Mutex<Inner>);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Whoever panicked while it held the log left at worst half a line.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).line(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for CappedLog {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.inner)
    }
}

/// Sends what the engine logs to its file, and to standard error where somebody may be looking. Panics go there too.
pub fn start(log: CappedLog, level: &str, on_stderr: bool) {
    let level: LevelFilter = level.parse().unwrap_or(LevelFilter::INFO);
    let file = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false).with_writer(log);
    let stderr =
        on_stderr.then(|| tracing_subscriber::fmt::layer().with_ansi(false).with_target(false).with_writer(io::stderr));
    // A second start in one process would keep the first log; there is none.
    let _ = tracing_subscriber::registry().with(level).with(file).with(stderr).try_init();
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(thread = thread.name().unwrap_or("unnamed"), %backtrace, "{panic}");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_begins_anew_past_its_size_and_keeps_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.log");
        fs::write(&path, "kept from an earlier engine\n").unwrap();
        let log = CappedLog::open(&path, 64).unwrap();
        for number in 0..20 {
            writeln!(log.make_writer(), "line {number:03}").unwrap();
        }
        let (now, before) = (fs::read_to_string(&path).unwrap(), fs::read_to_string(CappedLog::before(&path)).unwrap());
        assert!(now.len() <= 64 && before.len() <= 64, "{now:?} {before:?}");
        assert!(now.ends_with("line 019\n"));
        let next = now.lines().next().unwrap();
        let last = before.lines().last().unwrap();
        let number = |line: &str| line.trim_start_matches("line ").parse::<u32>().unwrap();
        assert_eq!(number(last) + 1, number(next), "no line is lost between the two");
    }
}
