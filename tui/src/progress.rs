//! How long work shows where it stands: a bar on a terminal, now and then a plain line elsewhere. Always on standard
//! error, so that results can be piped.

use std::{
    io::{IsTerminal, Write, stderr},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Often enough to see that it lives, seldom enough for a log.
const PAUSE: Duration = Duration::from_secs(10);

/// One piece of long work.
pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
    told: Instant,
}

impl Progress {
    /// Begins `count` steps of what is named in the plural.
    pub fn new(what: &'static str, count: u64) -> Self {
        let bar = if stderr().is_terminal() { ProgressBar::new(count) } else { ProgressBar::hidden() };
        bar.set_length(count);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {per_sec}, {eta} left") {
            bar.set_style(style.progress_chars("##-"));
        }
        bar.set_message(what);
        Self { bar, what, told: Instant::now() }
    }

    pub fn set(&mut self, done: u64) {
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            let _ = writeln!(stderr().lock(), "{done} of {} {}", self.bar.length().unwrap_or(0), self.what);
        }
    }

    /// The same, where the number of steps is known only now.
    pub fn set_of(&mut self, done: u64, count: u64) {
        self.bar.set_length(count);
        self.set(done);
    }

    pub fn end(self) {
        self.bar.finish_and_clear();
    }
}
