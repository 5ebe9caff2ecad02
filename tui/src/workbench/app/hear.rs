//! What the engine, the database and the picture thread say, taken into the state.

use ferrule_core::{
    protocol::{Answer, CaptureEvent, Event as EngineEvent, Request, Status, TrainingEvent},
    report::CaptureState,
};
use jiff::Timestamp;

use super::{App, Dialog, Engine};
use crate::workbench::{
    event::{Command, Effects, Exit, FromEngine},
    picture::PictureAnswer,
    plain,
    rows::{DetailFor, RowsAnswer, RowsRequest},
    screens::{ScreenName, Shown, live, log::LogLine},
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
            FromEngine::Event(EngineEvent::Run { .. }) => Effects::none(),
            // The log tells of them, and the status shows what is in force.
            FromEngine::Event(EngineEvent::Swap(_) | EngineEvent::Looked(_) | EngineEvent::Reviewed(_)) => {
                Effects::none()
            }
            FromEngine::Event(EngineEvent::Training(event)) => self.training(&event),
            FromEngine::Event(EngineEvent::Stopping) => {
                self.engine = Engine::Stopping;
                self.note("info", "the engine is stopping".to_owned());
                Effects::redraw()
            }
        }
    }

    /// Begin, end and warnings of a training, as lines of the log.
    fn training(&mut self, event: &TrainingEvent) -> Effects {
        let (level, text) = match (event.name.as_str(), &event.ended) {
            ("started", _) => ("info", format!("run {} is being trained", event.run)),
            ("warning", _) => ("warn", event.message.clone()),
            (_, Some(ended)) => {
                let level = if ended.state == "failed" { "error" } else { "info" };
                (level, format!("run {}: {} {}", event.run, ended.state, ended.message.as_deref().unwrap_or_default()))
            }
            _ => return Effects::none(),
        };
        self.note(level, plain::clean(&text));
        Effects { redraw: self.screen == ScreenName::Log, ..Effects::default() }
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
            (Request::Rescan, Answer::Ok { .. }) => self.say(false, "Looking into every watched folder.".to_owned()),
            (_, Answer::Ok { .. } | Answer::Training { .. } | Answer::Trainer(_)) => return Effects::none(),
        }
        Effects::redraw()
    }

    fn take_status(&mut self, status: Status) -> Effects {
        let status = plain::clean_status(status);
        if self.status.as_ref() == Some(&status) {
            return Effects::none();
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
        });
        if !in_hand {
            self.captures.window.outdated();
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.capture == event.capture) {
            open.outdated();
        }
        if let (CaptureState::Failed, Some(message)) = (event.state, &event.message) {
            self.note("warn", format!("{}: {message}", event.path));
        }
        Effects { redraw: !matches!(self.screen, ScreenName::Plugins | ScreenName::Log), ..Effects::default() }
    }

    pub(super) fn rows(&mut self, answer: RowsAnswer) -> Effects {
        match answer {
            RowsAnswer::Page { ticket, place, page } => self.captures.take(ticket, place, page),
            RowsAnswer::Recent(rows) => self.live.fill(rows),
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
        if self.asked.is_none_or(|asked| !asked.fits(answer.key)) {
            return Effects::none();
        }
        if self.open.is_none() && self.screen == ScreenName::Live {
            self.live.show(answer.detail);
        }
        self.shown = Shown { key: Some(answer.key), picture: Some(answer.result) };
        Effects::redraw()
    }
}
