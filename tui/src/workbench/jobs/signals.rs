//! Turns signals into events, on a thread of its own.

use std::{io, time::Duration};

use crossbeam_channel::Sender;
use crossterm::event::Event as Terminal;
use signal_hook::{
    consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH},
    iterator::{Handle, Signals},
};

use super::Job;
use crate::workbench::event::{Event, Signal};

/// A loop that is stuck in a write to a terminal that takes nothing is given this long to end by itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// The thread and the handle that ends it.
pub struct SignalJob {
    handle: Handle,
    job: Job,
}

impl SignalJob {
    pub fn start(events: Sender<Event>) -> io::Result<Self> {
        let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT, SIGTSTP, SIGCONT, SIGWINCH])?;
        let handle = signals.handle();
        let job = Job::start("signals", move || {
            for signal in signals.forever() {
                let event = match signal {
                    SIGHUP | SIGTERM => {
                        let _ = events.send_timeout(Event::Signal(Signal::End), PATIENCE);
                        end_later();
                        continue;
                    }
                    SIGINT => Event::Signal(Signal::Interrupt),
                    SIGTSTP => Event::Signal(Signal::Suspend),
                    SIGCONT => Event::Signal(Signal::Continue),
                    // crossterm tells a new size only while it is read, which it is only when a key comes.
                    _ => match crossterm::terminal::size() {
                        Ok((width, height)) => Event::Input(Terminal::Resize(width, height)),
                        Err(_) => continue,
                    },
                };
                if events.send(event).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { handle, job })
    }

    pub fn join(self, patience: Duration) {
        self.handle.close();
        self.job.join(patience);
    }
}

/// Ends the process, should the loop not have done so: a hung-up or frozen terminal can hold a write for ever.
fn end_later() {
    let _ = std::thread::Builder::new().name("last-resort".to_owned()).spawn(|| {
        std::thread::sleep(PATIENCE);
        std::process::exit(1);
    });
}
