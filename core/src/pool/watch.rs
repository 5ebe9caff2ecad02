//! Waits for whatever happens next: a command, a word from a worker, a death, a deadline. With nothing in hand it waits
//! without a limit, so an idle pool takes no processor time.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    Cause,
    process::LineEnd,
    supervisor::Supervisor,
    wide::WideWorker,
    worker::{Phase, Worker},
};

/// Between two looks at the memory of workers that are at work.
const LOOK_AT_MEMORY: Duration = Duration::from_millis(100);

/// Which of a worker's ends stirred; in the order in which they are taken up: what it said counts before that it died.
#[derive(Clone, Copy)]
enum End {
    Line,
    Stderr,
    Death,
}

impl Supervisor {
    pub(super) fn watch(&mut self) {
        let stirred = self.wait();
        let now = Instant::now();
        for (key, end) in stirred {
            let Some(index) = self.workers.iter().position(|worker| worker.key == key) else {
                self.stirred_wide(key, end, now);
                continue;
            };
            match end {
                End::Stderr => self.workers[index].process.drain_stderr(),
                End::Line => {
                    self.workers[index].process.flush();
                    self.listen(index, now);
                }
                End::Death => {
                    // Nobody writes any more: take the rest of what it said, then see how it ended.
                    while self.listen(index, now) {}
                    let status = self.workers[index].process.try_reap();
                    if status.is_some() {
                        self.bury(index, status, now);
                    }
                }
            }
        }
        self.lost.retain_mut(|process| process.try_reap().is_none());
    }

    /// Takes what a worker says. False once there is no more.
    fn listen(&mut self, index: usize, now: Instant) -> bool {
        if !self.workers[index].is_on_the_line() {
            return false;
        }
        let received = self.workers[index].process.receive();
        let any = !received.messages.is_empty();
        for message in received.messages {
            if !self.workers[index].is_on_the_line() {
                return false;
            }
            self.heard(index, message, now);
        }
        let on_the_line = self.workers[index].is_on_the_line();
        match received.end {
            Some(LineEnd::Nonsense(what)) if on_the_line => self.kill(index, Some(Cause::Nonsense(what)), now),
            // Dead or as good as dead; a process that is dying already keeps its own exit status.
            Some(LineEnd::Closed) if on_the_line => self.kill(index, None, now),
            _ => return any && on_the_line,
        }
        false
    }

    fn wait(&self) -> Vec<(u64, End)> {
        let narrow = self.workers.iter().map(|worker| (worker.key, &worker.process, worker.is_on_the_line()));
        let wide = self.wide.iter().map(|wide| (wide.key, &wide.process, wide.is_on_the_line()));
        let mut owners = Vec::with_capacity(3 * (self.workers.len() + self.wide.len()));
        let mut ends = vec![PollFd::new(&self.shared.wake, PollFlags::IN)];
        for (key, process, on_the_line) in narrow.chain(wide) {
            if on_the_line {
                let writing = if process.wants_to_write() { PollFlags::OUT } else { PollFlags::empty() };
                owners.push((key, End::Line));
                ends.push(PollFd::from_borrowed_fd(process.line(), PollFlags::IN | writing));
            }
            if let Some(stderr) = process.stderr() {
                owners.push((key, End::Stderr));
                ends.push(PollFd::from_borrowed_fd(stderr, PollFlags::IN));
            }
            owners.push((key, End::Death));
            ends.push(PollFd::from_borrowed_fd(process.pidfd(), PollFlags::IN));
        }
        ends.extend(self.lost.iter().map(|process| PollFd::from_borrowed_fd(process.pidfd(), PollFlags::IN)));

        let timeout = self.next_due().map(|due| {
            let left = due.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
        });
        if let Err(error) = poll(&mut ends, timeout.as_ref())
            && error != rustix::io::Errno::INTR
        {
            tracing::error!(%error, "cannot wait for workers");
            std::thread::sleep(LOOK_AT_MEMORY);
            return Vec::new();
        }
        if !ends[0].revents().is_empty() {
            let mut count = [0; 8];
            let _ = rustix::io::read(&self.shared.wake, &mut count);
        }
        let stirred = |(owner, end): (&(u64, End), &PollFd<'_>)| (!end.revents().is_empty()).then_some(*owner);
        owners.iter().zip(&ends[1..]).filter_map(stirred).collect()
    }

    /// The next moment at which something must be done that no descriptor tells.
    fn next_due(&self) -> Option<Instant> {
        let at_work = self.workers.iter().any(is_at_work) || self.wide.iter().any(WideWorker::is_at_work);
        let in_hand = self.workers.iter().any(|worker| matches!(worker.phase, Phase::Busy(_)));
        let start = self.generations.not_before().filter(|then| *then > Instant::now());
        let end = self.ending.filter(|_| in_hand);
        let wide = self.wide.iter().filter_map(WideWorker::due);
        let due = self.workers.iter().filter_map(Worker::due).chain(wide).chain(start).chain(end);
        due.chain(at_work.then_some(self.next_look_at_memory)).min()
    }

    /// Ends what has overstepped its time or memory.
    pub(super) fn end_what_is_due(&mut self, now: Instant) {
        if self.ending.is_some_and(|ending| ending <= now) {
            self.cut_off(now);
        }
        for index in (0..self.workers.len()).rev() {
            let worker = &self.workers[index];
            if worker.due().is_none_or(|due| due > now) {
                continue;
            }
            match &worker.phase {
                Phase::Idle => {}
                Phase::Busy(busy) => {
                    let cause = Cause::Deadline(busy.until.saturating_duration_since(busy.since));
                    self.kill(index, Some(cause), now);
                }
                Phase::Starting { .. } => self.kill(index, Some(Cause::Deadline(self.settings.start_deadline)), now),
                Phase::Leaving { .. } => self.kill(index, None, now),
                Phase::Dying { .. } => self.bury(index, None, now),
            }
        }
        self.end_wide_that_is_due(now);
        let at_work = self.workers.iter().any(is_at_work) || self.wide.iter().any(WideWorker::is_at_work);
        if self.next_look_at_memory <= now && at_work {
            self.next_look_at_memory = now + LOOK_AT_MEMORY;
            self.look_at_memory(now);
        }
    }

    fn look_at_memory(&mut self, now: Instant) {
        let limit_mb = self.settings.limits.memory_mb;
        for index in 0..self.workers.len() {
            let worker = &self.workers[index];
            let used_mb = if is_at_work(worker) { worker.process.resident().unwrap_or(0) >> 20 } else { 0 };
            if used_mb > limit_mb {
                self.kill(index, Some(Cause::Memory { used_mb, limit_mb }), now);
            }
        }
        let limit_mb = self.settings.wide_memory_mb;
        for wide in self.wide.iter_mut().filter(|wide| wide.is_at_work()) {
            let used_mb = wide.process.resident().unwrap_or(0) >> 20;
            if used_mb > limit_mb {
                wide.kill(Some(Cause::Memory { used_mb, limit_mb }), now);
            }
        }
    }

    /// The same for a wide worker.
    fn stirred_wide(&mut self, key: u64, end: End, now: Instant) {
        let Some(index) = self.wide.iter().position(|wide| wide.key == key) else { return };
        match end {
            End::Stderr => self.wide[index].process.drain_stderr(),
            End::Line => {
                self.wide[index].process.flush();
                self.listen_to_wide(index, now);
            }
            End::Death => {
                while self.listen_to_wide(index, now) {}
                let status = self.wide[index].process.try_reap();
                if status.is_some() {
                    self.bury_wide(index, status, now);
                }
            }
        }
    }

    fn listen_to_wide(&mut self, index: usize, now: Instant) -> bool {
        if !self.wide[index].is_on_the_line() {
            return false;
        }
        let received = self.wide[index].process.receive();
        let any = !received.messages.is_empty();
        for message in received.messages {
            if !self.wide[index].is_on_the_line() {
                return false;
            }
            self.heard_wide(index, message, now);
        }
        let wide = &mut self.wide[index];
        match received.end {
            Some(LineEnd::Nonsense(what)) if wide.is_on_the_line() => wide.kill(Some(Cause::Nonsense(what)), now),
            Some(LineEnd::Closed) if wide.is_on_the_line() => wide.kill(None, now),
            _ => return any && wide.is_on_the_line(),
        }
        false
    }
}

fn is_at_work(worker: &Worker) -> bool {
    matches!(worker.phase, Phase::Busy(_) | Phase::Starting { .. })
}
