//! Tidying beside the captures: planned by a thread of its own, announced, carried out step by step, counted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{heap, state::Engine};
use crate::{
    protocol::{Answer, Event, TidyEnd},
    store::{Reader, StoreError, Tidied, TidyPlan, TidyStep, Tidying, Write},
};

/// The first tidying comes so long after the start: an engine that is started every morning tidies too.
const FIRST: Duration = Duration::from_secs(300);

/// The tidying that runs, and when the next one is due.
#[derive(Debug)]
pub(super) struct Tidy {
    state: State,
    /// What went so far.
    done: Tidied,
    started: Instant,
    /// How the last one ended, for the status.
    pub last: Option<TidyEnd>,
    stop: Arc<AtomicBool>,
}

#[derive(Debug)]
enum State {
    /// Since then.
    Idle(Instant),
    Planning(JoinHandle<Result<Option<TidyPlan>, StoreError>>),
    /// A step is with the store.
    Writing,
}

impl Tidy {
    pub fn new() -> Self {
        let now = Instant::now();
        Self { state: State::Idle(now), done: Tidied::default(), started: now, last: None, stop: Arc::default() }
    }

    /// Ends a planning; a step that is with the store is stored as everything else.
    pub fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let State::Planning(thread) = std::mem::replace(&mut self.state, State::Writing) {
            let _ = thread.join();
        }
    }
}

impl Engine {
    /// Begins a tidying when one is due, and takes up a plan that is made.
    pub fn tidy_when_due(&mut self, now: Instant) {
        match &self.tidy.state {
            State::Idle(since) => {
                let keep = self.configuration.settings.dataset.keep;
                let pause = match self.tidy.last {
                    None => FIRST,
                    Some(_) => Duration::from_secs(u64::from(keep.every_hours) * 3600),
                };
                if keep.has_rules() && keep.every_hours > 0 && now.saturating_duration_since(*since) >= pause {
                    self.plan_tidying();
                }
            }
            State::Planning(thread) if thread.is_finished() => self.begin_tidying(),
            State::Planning(_) | State::Writing => {}
        }
    }

    /// A client wants it now; an [`Event::Tidied`] tells how it ended. One that runs already is the answer too.
    pub fn tidy_now(&mut self) -> Answer {
        if matches!(self.tidy.state, State::Idle(_)) {
            self.plan_tidying();
        }
        Answer::Ok { count: 0 }
    }

    fn plan_tidying(&mut self) {
        self.tidy.done = Tidied::default();
        self.tidy.started = Instant::now();
        let (dataset, keep) = (self.dataset.clone(), self.configuration.settings.dataset.keep);
        let stop = Arc::clone(&self.tidy.stop);
        let plan = move || {
            let reader = Reader::frugal(&dataset)?;
            reader.tidy_plan(&dataset, keep, Timestamp::now(), &mut || !stop.load(Ordering::Relaxed))
        };
        match heap::passing_thread("tidy-plan".into()).spawn(plan) {
            Ok(thread) => self.tidy.state = State::Planning(thread),
            Err(error) => self.end_tidying(Some(format!("no thread to plan with: {error}"))),
        }
    }

    /// Says what will go, then lets it go.
    fn begin_tidying(&mut self) {
        let State::Planning(thread) = std::mem::replace(&mut self.tidy.state, State::Writing) else { return };
        match thread.join() {
            Ok(Ok(Some(plan))) if plan.going.is_nothing() => self.end_tidying(None),
            Ok(Ok(Some(plan))) => {
                let spared = plan.spared;
                self.log(
                    tracing::Level::INFO,
                    format!("tidying: {} go; {spared} images are spared (dataset.keep.protect)", plan.going),
                );
                self.store_write(Write::Tidy(Box::new(TidyStep::first(plan))));
            }
            Ok(Ok(None)) => self.end_tidying(Some("it was ended".into())),
            Ok(Err(error)) => self.end_tidying(Some(error.to_string())),
            Err(_) => self.end_tidying(Some("planning broke off; see the log".into())),
        }
    }

    /// A step is committed, and its files are gone.
    pub fn tidied(&mut self, tidying: Tidying) {
        self.tidy.done.add(tidying.done);
        match tidying.next {
            // The rest is planned anew by the next engine.
            Some(_) if self.ending => {}
            Some(step) => self.store_write(Write::Tidy(step)),
            None => {
                let seconds = self.tidy.started.elapsed().as_secs_f64();
                self.log(tracing::Level::INFO, format!("tidied: {} went in {seconds:.1} s", self.tidy.done));
                self.end_tidying(None);
            }
        }
    }

    fn end_tidying(&mut self, problem: Option<String>) {
        if let Some(problem) = &problem {
            self.log(tracing::Level::WARN, format!("tidying: {problem}"));
        }
        let end = TidyEnd { at: Timestamp::now().to_string(), done: self.tidy.done, problem };
        self.tidy.state = State::Idle(Instant::now());
        self.tidy.last = Some(end.clone());
        self.dirty = true;
        self.broadcast(Event::Tidied(end));
    }
}
