//! What the engine, the database and the picture thread say, taken into the state.

use ferrule_core::{
    protocol::{Answer, CaptureEvent, Event as EngineEvent, Request, Status},
    report::CaptureState,
    swap::{Swap, SwapOutcome},
};
use jiff::Timestamp;

use super::{App, Dialog, Engine};
use crate::workbench::{
    event::{Command, Effects, Exit, FromEngine},
    picture::PictureAnswer,
    plain,
    rows::{DetailFor, Hand, RowsAnswer, RowsRequest},
    runs::RunsAnswer,
    screens::{ScreenName, Shown, live, log::LogLine},
    tasks::{TaskOf, TaskState},
    text,
};

impl App {
    pub(super) fn heard(&mut self, said: FromEngine) -> Effects {
        match said {
            FromEngine::Connected => {
                self.engine = Engine::Connected;
                self.note("info", "connected to the engine".to_owned());
                self.captures.reload();
                self.live.forget();
                self.training.reload();
                self.plugins.outdated();
                Effects::command(Command::Rows(RowsRequest::Recent { limit: live::RECENT }))
            }
            FromEngine::Gone(reason) => self.lost(&plain::clean(&reason)),
            FromEngine::NotStarted(reason) => {
                self.engine = Engine::Gone;
                let reason = plain::clean(&reason);
                self.note("error", reason.clone());
                self.say(true, reason);
                Effects::redraw()
            }
            FromEngine::Answer { request, answer } => self.answered(&request, answer),
            FromEngine::Event(EngineEvent::Capture(event)) => self.capture(plain::clean_capture(*event)),
            FromEngine::Event(EngineEvent::Status(status)) => self.take_status(*status),
            FromEngine::Event(EngineEvent::Log { at, level, message }) => {
                let time = at.parse::<Timestamp>().map_or_else(|_| plain::clean(&at), |at| self.clock(at));
                let (level, message) = (plain::clean(&level).to_lowercase(), plain::clean(&message));
                let shown = self.log.push(LogLine { at: time, level, message });
                Effects { redraw: shown && self.screen == ScreenName::Log, ..Effects::default() }
            }
            FromEngine::Event(EngineEvent::Reviewed(reviewed)) => {
                self.review.stored();
                let Some(refused) = reviewed.refused.first() else { return Effects::none() };
                self.say(true, plain::clean(refused));
                Effects::redraw()
            }
            FromEngine::Event(EngineEvent::Views) => {
                self.captures.views_changed();
                Effects::none()
            }
            // The log says what went, and the next status too.
            FromEngine::Event(EngineEvent::Tidied(_)) => Effects::none(),
            FromEngine::Event(EngineEvent::Run { run }) => {
                self.training.changed(&plain::clean(&run));
                Effects::none()
            }
            FromEngine::Event(EngineEvent::Alarm { step, alarm }) => self.alarm(step, *alarm),
            FromEngine::Event(EngineEvent::Swap(swap)) => self.swapped(&swap),
            // Another look at plug-ins and settings: the list may be another one.
            FromEngine::Event(EngineEvent::Looked(_)) => {
                self.plugins.outdated();
                self.training.looked();
                Effects::none()
            }
            FromEngine::Event(EngineEvent::Training(event)) => self.trained(&event),
            FromEngine::Event(EngineEvent::Stopping) => {
                self.engine = Engine::Stopping;
                self.note("info", "the engine is stopping".to_owned());
                Effects::redraw()
            }
        }
    }

    /// The end of a swap: what a person waits for after a change.
    fn swapped(&mut self, swap: &Swap) -> Effects {
        let generation = swap.generation.unwrap_or_default();
        let at = self.clock((self.setup.now)());
        let state = match swap.outcome {
            SwapOutcome::Trying => TaskState::Running(None, text::SWAP_TRYING.to_owned()),
            SwapOutcome::InForce => TaskState::Ended { good: true, words: swap.outcome.to_string() },
            SwapOutcome::Refused | SwapOutcome::Superseded => {
                let refusal = swap.refusal.as_deref().map(plain::clean);
                TaskState::Ended { good: false, words: refusal.unwrap_or_else(|| swap.outcome.to_string()) }
            }
        };
        self.tasks.stands(TaskOf::Swap(generation), &at, state);
        self.plugins.outdated();
        match swap.outcome {
            SwapOutcome::InForce => self.say(false, format!("Generation {generation} is in force.")),
            SwapOutcome::Refused => {
                let refusal = swap.refusal.as_deref().unwrap_or_default();
                self.say(true, plain::clean(&format!("refused: {refusal}; what was in force stays so")));
            }
            SwapOutcome::Trying | SwapOutcome::Superseded => return Effects::none(),
        }
        Effects::redraw()
    }

    pub(super) fn runs(&mut self, answer: RunsAnswer) -> Effects {
        if let RunsAnswer::Failed(message) = &answer {
            self.rows_failed = true;
            self.note("error", message.clone());
            if self.notice.is_none() {
                self.say(true, message.clone());
            }
        }
        self.training.take(answer);
        Effects::redraw()
    }

    fn lost(&mut self, reason: &str) -> Effects {
        if self.engine == Engine::Stopping && self.dialog == Some(Dialog::Quit) {
            return Effects::command(Command::Quit(Exit::EngineStopped));
        }
        // While one is being started, attempts may still fail; while none runs they all do. Neither is news.
        if matches!(self.engine, Engine::Gone | Engine::Starting) {
            return Effects::none();
        }
        self.engine = Engine::Gone;
        self.note("warn", format!("no engine: {reason}"));
        self.say(true, format!("E starts the engine: {reason}"));
        Effects::redraw()
    }

    fn answered(&mut self, request: &Request, answer: Answer) -> Effects {
        match (request, answer) {
            (_, Answer::Status(status)) => return self.take_status(*status),
            (_, Answer::Refused(refusal)) => {
                let text = plain::clean(&format!("{}; {}", refusal.message, refusal.hint));
                self.note("warn", text.clone());
                self.say(true, text);
            }
            (Request::Retry { .. } | Request::Reinspect { .. } | Request::Release { .. }, Answer::Ok { count }) => {
                self.say(false, format!("{} queued again.", text::captures(count)));
            }
            (Request::Pause { paused }, Answer::Ok { .. }) => {
                self.say(false, if *paused { text::ENGINE_PAUSED } else { text::ENGINE_RUNNING }.to_owned());
            }
            (Request::KeepView { view }, Answer::Ok { .. }) => {
                self.say(false, plain::clean(&format!("View {} is saved; v shows all.", view.name)));
            }
            (Request::ForgetView { name }, Answer::Ok { .. }) => {
                self.say(false, plain::clean(&format!("View {name} is deleted.")));
            }
            (Request::Acknowledge { rule, .. }, Answer::Ok { .. }) => {
                if rule.is_none() {
                    self.dialog = None;
                }
                self.say(false, text::ACKNOWLEDGED.to_owned());
            }
            (Request::Rescan, Answer::Ok { .. }) => self.say(false, "Looking into every watched folder.".to_owned()),
            (_, Answer::Plugins(list)) => self.plugins.take(*list),
            (_, Answer::Trainer(trainer)) => self.training.take_trainer(*trainer),
            (_, Answer::Training { run }) => {
                self.training.close_form();
                self.say(false, format!("Run {} is being trained.", plain::clean(&run)));
            }
            (Request::Steer { steer }, Answer::Ok { .. }) => self.training.steered(*steer),
            (Request::Note { .. }, Answer::Ok { .. }) => self.say(false, "Kept.".to_owned()),
            (Request::DeleteRun { run }, Answer::Ok { .. }) => {
                self.say(false, format!("Run {} is removed.", plain::clean(run)));
            }
            (Request::Change { .. }, Answer::Ok { count }) => {
                self.plugins.close_form();
                self.plugins.outdated();
                self.say(false, if count > 0 { text::CHANGED } else { text::UNCHANGED }.to_owned());
            }
            (_, Answer::Ok { .. } | Answer::Divided(_)) => return Effects::none(),
        }
        Effects::redraw()
    }

    fn take_status(&mut self, status: Status) -> Effects {
        let status = plain::clean_status(status);
        if self.status.as_ref() == Some(&status) {
            return Effects::none();
        }
        if self.training.stands(status.training.as_ref()) {
            self.list_training();
        }
        self.status = Some(status);
        Effects::redraw()
    }

    fn capture(&mut self, event: CaptureEvent) -> Effects {
        let now = (self.setup.now)();
        self.live.heard(&event, now);
        let in_hand = self.captures.window.change(event.capture, |row| {
            row.state = event.state;
            row.image = event.image.or(row.image);
            row.has_defect = event.has_defect;
            row.verdict = event.verdict;
            row.defects = event.defects;
            row.incomplete = !event.incomplete.is_empty();
            row.ms = event.ms;
        });
        if !in_hand {
            self.captures.window.outdated();
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.capture == event.capture) {
            open.outdated();
        }
        self.review.outdated(event.capture);
        self.jobs.outdated();
        if let (CaptureState::Failed, Some(message)) = (event.state, &event.message) {
            self.note("warn", format!("{}: {message}", event.path));
        }
        Effects {
            redraw: !matches!(
                self.screen,
                ScreenName::Plugins | ScreenName::Training | ScreenName::Dataset | ScreenName::Log
            ),
            ..Effects::default()
        }
    }

    pub(super) fn rows(&mut self, answer: RowsAnswer) -> Effects {
        match answer {
            RowsAnswer::Page { .. } | RowsAnswer::Count { .. } | RowsAnswer::Matching { .. } | RowsAnswer::Views(_) => {
                self.captures.take(answer);
            }
            RowsAnswer::Recent(rows) => self.live.fill(rows),
            RowsAnswer::Jobs(jobs) => self.jobs.take(jobs),
            RowsAnswer::Heat { ticket, heat } => self.take_heat(ticket, heat),
            RowsAnswer::Detail { asker: DetailFor::Pair(hand), capture, detail } => {
                if let Some(pair) = &mut self.pair {
                    pair.take(hand, capture, detail);
                }
            }
            RowsAnswer::Trend(trend) => self.live.take_trend(&trend),
            RowsAnswer::Detail { asker: DetailFor::Live, capture, detail } => {
                if self.live.shown() == Some(capture) || self.live.detail().is_none() {
                    self.live.take(detail);
                }
            }
            RowsAnswer::Detail { asker: DetailFor::Browse, capture, detail } => {
                if let Some(open) = self.open.as_mut().filter(|open| open.capture == capture) {
                    open.take(detail);
                }
            }
            RowsAnswer::Detail { asker: DetailFor::Review, capture, detail } => {
                self.review.take_detail(capture, detail)
            }
            RowsAnswer::Queue { ticket, captures } => self.review.take_queue(ticket, captures),
            RowsAnswer::Agreements(agreements) => self.review.take_agreements(agreements),
            RowsAnswer::Failed(message) => {
                self.rows_failed = true;
                self.note("error", message.clone());
                // Without an engine there may be no database yet, and why there is no engine says more.
                if self.notice.is_none() {
                    self.say(true, message);
                }
            }
        }
        Effects::redraw()
    }

    pub(super) fn picture(&mut self, answer: PictureAnswer) -> Effects {
        // A picture for a size or a view that is no longer wanted; the right one is on its way.
        let asked = if answer.hand == Hand::Left { self.asked } else { self.asked_beside };
        if asked.is_none_or(|asked| !asked.fits(answer.key)) {
            return Effects::none();
        }
        if self.pair.is_none() && self.open.is_none() && self.screen == ScreenName::Live {
            self.live.show(answer.detail);
        }
        let picture = answer.result.as_ref().map_or(0, |picture| picture.bytes());
        let shown = Shown { key: Some(answer.key), picture: Some(answer.result) };
        if answer.hand == Hand::Left {
            self.shown = shown
        } else {
            self.beside = shown
        }
        Effects { picture, ..Effects::redraw() }
    }
}
