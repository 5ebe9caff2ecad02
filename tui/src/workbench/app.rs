//! The one owner of everything that the screen shows. Events come in, effects go out; drawing only looks.

use std::sync::Arc;

use crossterm::event::{Event as Terminal, MouseEventKind};
use ferrule_core::{
    ids::CaptureId,
    protocol::{Answer, CaptureEvent, Event as EngineEvent, Request, Status},
    report::CaptureState,
};
use jiff::{Timestamp, tz::TimeZone};
use ratatui::{Frame, layout::Size};

use super::{
    chrome,
    event::{Command, Effects, Event, Exit, FromEngine, Signal},
    keys::{self, Action, Bindings, Key},
    layout,
    picture::{PictureAnswer, PictureKey, PictureRequest, View},
    plain,
    rows::{Detail, DetailFor, RowsAnswer, RowsRequest},
    screens::{
        Look, ScreenName, Shown,
        captures::{self, Captures},
        detail::{self, Open},
        live::{self, Live},
        log::{self, Log, LogLine},
        plugins::{self, Plugins},
    },
    text,
    theme::Theme,
};

/// How the engine's connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Connecting,
    Connected,
    Gone,
    Starting,
    /// Asked to stop.
    Stopping,
}

/// What lies over the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialog {
    Help { top: usize },
    Quit,
}

/// A line at the bottom, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Notice {
    text: String,
    bad: bool,
}

/// What the state is made from.
#[derive(Debug, Clone)]
pub struct Setup {
    pub workspace: String,
    pub theme: Theme,
    pub zone: TimeZone,
    pub at_logout: Option<String>,
    pub size: Size,
    /// The clock, so that tests have their own.
    pub now: fn() -> Timestamp,
}

/// The workbench.
pub struct App {
    setup: Setup,
    screen: ScreenName,
    dialog: Option<Dialog>,
    notice: Option<Notice>,
    engine: Engine,
    status: Option<Status>,
    live: Live,
    captures: Captures,
    open: Option<Open>,
    plugins: Plugins,
    log: Log,
    view: View,
    layers: bool,
    shown: Shown,
    /// The picture that was asked for last.
    asked: Option<PictureKey>,
    asked_of: Option<Arc<Detail>>,
    /// The database could not be read; the next key tries again.
    rows_failed: bool,
    /// Counted up when the terminal has to be sent its picture anew.
    epoch: u32,
}

impl App {
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            screen: ScreenName::Live,
            dialog: None,
            notice: None,
            engine: Engine::Connecting,
            status: None,
            live: Live::default(),
            captures: Captures::new(),
            open: None,
            plugins: Plugins::default(),
            log: Log::default(),
            view: View::Whole,
            layers: true,
            shown: Shown::default(),
            asked: None,
            asked_of: None,
            rows_failed: false,
            epoch: 0,
        }
    }

    /// Takes one event in. Whatever that makes necessary is in the effects.
    pub fn update(&mut self, event: Event) -> Effects {
        let mut effects = match event {
            Event::Input(input) => self.input(input),
            Event::Engine(said) => self.heard(said),
            Event::Rows(answer) => self.rows(answer),
            Event::Picture(answer) => self.picture(answer),
            Event::Signal(signal) => self.signal(signal),
            Event::TerminalLost => Effects::command(Command::Quit(Exit::TerminalLost)),
        };
        self.settle();
        effects.commands.extend(self.wishes());
        effects
    }

    /// The keys in force, the innermost first.
    pub fn keys(&self) -> Vec<Bindings> {
        match self.dialog {
            Some(Dialog::Quit) => vec![keys::QUIT],
            Some(Dialog::Help { .. }) => vec![keys::HELP],
            None if self.captures.is_searching() => vec![keys::SEARCH],
            None => self.screen_keys(),
        }
    }

    /// The screen's keys and those that work everywhere.
    fn screen_keys(&self) -> Vec<Bindings> {
        let screen = match (self.screen, &self.open) {
            (_, Some(_)) => detail::KEYS,
            (ScreenName::Live, None) => live::KEYS,
            (ScreenName::Captures, None) => captures::KEYS,
            (ScreenName::Plugins, None) => plugins::KEYS,
            (ScreenName::Log, None) => log::KEYS,
        };
        vec![screen, keys::GLOBAL]
    }

    fn input(&mut self, input: Terminal) -> Effects {
        match input {
            Terminal::Key(event) => {
                let Some(key) = Key::pressed(event) else { return Effects::none() };
                self.notice = None;
                if std::mem::take(&mut self.rows_failed) {
                    self.captures.reload();
                    self.live.forget();
                }
                match keys::action(&self.keys(), key) {
                    Some(action) => self.act(action),
                    None => {
                        if self.dialog.is_none() {
                            self.captures.typed(key);
                        }
                        Effects::redraw()
                    }
                }
            }
            Terminal::Paste(pasted) => {
                self.captures.pasted(&pasted);
                Effects::redraw()
            }
            Terminal::Resize(width, height) => {
                let size = Size::new(width, height);
                if size == self.setup.size {
                    return Effects::none();
                }
                self.setup.size = size;
                self.epoch += 1;
                Effects { redraw: true, repaint: true, ..Effects::default() }
            }
            Terminal::Mouse(mouse) => match mouse.kind {
                MouseEventKind::ScrollUp => self.act(Action::Up),
                MouseEventKind::ScrollDown => self.act(Action::Down),
                _ => Effects::none(),
            },
            Terminal::FocusGained | Terminal::FocusLost => Effects::none(),
        }
    }

    fn signal(&mut self, signal: Signal) -> Effects {
        match signal {
            Signal::End => Effects::command(Command::Quit(Exit::Signalled)),
            Signal::Interrupt => self.act(Action::Quit),
            Signal::Suspend => Effects::command(Command::Suspend),
            Signal::Continue => {
                self.epoch += 1;
                Effects { redraw: true, repaint: true, commands: vec![Command::Resume] }
            }
        }
    }

    fn act(&mut self, action: Action) -> Effects {
        match action {
            Action::Go(screen) => self.go(screen),
            Action::NextScreen => self.go(self.screen.next()),
            Action::PreviousScreen => self.go(self.screen.previous()),
            Action::Help => self.dialog = Some(Dialog::Help { top: 0 }),
            Action::Quit => return self.quit(),
            Action::Suspend => return Effects::command(Command::Suspend),
            Action::Repaint => {
                self.epoch += 1;
                return Effects { redraw: true, repaint: true, ..Effects::default() };
            }
            Action::StartEngine => return self.start_engine(),
            Action::Pause => return self.pause(),
            Action::Rescan => return self.ask(Request::Rescan),
            Action::Up => self.step(-1),
            Action::Down => self.step(1),
            Action::PageUp => self.step(-self.page()),
            Action::PageDown => self.step(self.page()),
            Action::First => return self.first(),
            Action::Last => return self.last(),
            Action::Open => self.open_selected(),
            Action::Back => self.back(),
            Action::FilterState => self.captures.next_state(),
            Action::FilterLabel => self.captures.next_label(),
            Action::Search => self.captures.start_search(),
            Action::SearchAccept => self.captures.accept_search(),
            Action::SearchCancel => self.captures.cancel_search(),
            Action::ClearFilter => self.captures.clear(),
            Action::Retry => return self.retry(),
            Action::RetryAll => return self.ask(Request::Retry { captures: None }),
            Action::Reinspect => return self.reinspect(),
            Action::NextCapture => self.turn(1),
            Action::PreviousCapture => self.turn(-1),
            Action::Zoom => self.view = if self.view == View::Whole { View::Fibre } else { View::Whole },
            Action::Layers => self.layers = !self.layers,
            Action::Release => return self.release(),
            Action::Level => self.log.next_level(),
            Action::Follow => self.log.follow(),
            Action::LeaveRunning => return Effects::command(Command::Quit(Exit::Left)),
            Action::StopEngine => return self.stop_engine(),
            Action::Cancel => self.dialog = None,
        }
        Effects::redraw()
    }

    fn go(&mut self, screen: ScreenName) {
        self.screen = screen;
        self.open = None;
    }

    fn quit(&mut self) -> Effects {
        // Without an engine there is nothing to ask about.
        if matches!(self.engine, Engine::Gone | Engine::Connecting) {
            return Effects::command(Command::Quit(Exit::Left));
        }
        self.dialog = Some(Dialog::Quit);
        Effects::redraw()
    }

    fn stop_engine(&mut self) -> Effects {
        self.engine = Engine::Stopping;
        Effects::command(Command::Ask(Request::Stop))
    }

    fn start_engine(&mut self) -> Effects {
        if self.engine != Engine::Gone {
            return Effects::redraw();
        }
        self.engine = Engine::Starting;
        Effects::command(Command::StartEngine)
    }

    fn pause(&mut self) -> Effects {
        let paused = self.status.as_ref().is_some_and(|status| status.paused);
        self.ask(Request::Pause { paused: !paused })
    }

    fn ask(&mut self, request: Request) -> Effects {
        if self.engine != Engine::Connected {
            self.say(true, format!("{}. E starts it.", text::ENGINE_GONE));
            return Effects::redraw();
        }
        Effects::command(Command::Ask(request))
    }

    fn say(&mut self, bad: bool, text: String) {
        self.notice = Some(Notice { text, bad });
    }

    fn step(&mut self, by: isize) {
        if let Some(Dialog::Help { top }) = &mut self.dialog {
            *top = top.saturating_add_signed(by);
        } else if let Some(open) = &mut self.open {
            open.scroll(by);
        } else {
            match self.screen {
                ScreenName::Live => self.live.step(by),
                ScreenName::Captures => self.captures.window.step(by),
                ScreenName::Plugins => {
                    let count = self.status.as_ref().map_or(0, |status| status.plugins.len());
                    self.plugins.step(by, count);
                }
                ScreenName::Log => self.log.step(by),
            }
        }
    }

    /// Rows that a page key moves by: one less than are shown, so that a line stays to hold on to.
    fn page(&self) -> isize {
        let body = layout::parts(self.setup.size).map_or(1, |parts| parts.body.height);
        isize::try_from(body.saturating_sub(3).max(1)).unwrap_or(1)
    }

    fn first(&mut self) -> Effects {
        if let Some(open) = &mut self.open {
            open.scroll(isize::MIN);
            return Effects::redraw();
        }
        match self.screen {
            ScreenName::Live => self.live.follow(),
            ScreenName::Captures => return Effects::command(Command::Rows(self.captures.first())),
            ScreenName::Plugins => self.plugins.step(isize::MIN, 0),
            ScreenName::Log => self.log.first(),
        }
        Effects::redraw()
    }

    fn last(&mut self) -> Effects {
        let mut effects = Effects::redraw();
        if let Some(open) = &mut self.open {
            open.scroll(isize::MAX / 2);
        } else if self.screen == ScreenName::Captures {
            effects.commands.extend(self.captures.last().map(Command::Rows));
        } else {
            self.step(isize::MAX / 2);
        }
        effects
    }

    /// Escape: out of the help, the capture, or what was chosen.
    fn back(&mut self) {
        if self.dialog.take().is_none() {
            self.open = None;
        }
    }

    fn open_selected(&mut self) {
        let capture = match self.screen {
            ScreenName::Live => self.live.shown(),
            ScreenName::Captures => self.captures.window.selected().map(|row| row.capture),
            ScreenName::Plugins | ScreenName::Log => None,
        };
        self.open = capture.map(Open::new);
    }

    /// The next capture of the list while one is open.
    fn turn(&mut self, by: isize) {
        let next = if self.screen == ScreenName::Live {
            self.live.step(by);
            self.live.shown()
        } else {
            self.captures.window.step(by);
            self.captures.window.selected().map(|row| row.capture)
        };
        if let (Some(open), Some(next)) = (&mut self.open, next) {
            open.turn(next);
        }
    }

    /// The capture that an action is about, with what is known of it.
    fn subject(&self) -> Option<super::rows::Row> {
        match &self.open {
            Some(open) => open.detail().map(|detail| detail.row.clone()),
            None => self.captures.window.selected().cloned(),
        }
    }

    fn retry(&mut self) -> Effects {
        match self.subject() {
            Some(row) if row.state == CaptureState::Failed => {
                self.ask(Request::Retry { captures: Some(vec![row.capture]) })
            }
            Some(row) => {
                self.say(true, format!("{} is {}; only failed captures are tried again.", row.name, row.state));
                Effects::redraw()
            }
            None => Effects::redraw(),
        }
    }

    fn reinspect(&mut self) -> Effects {
        match self.subject() {
            Some(super::rows::Row { image: Some(image), .. }) => self.ask(Request::Reinspect { images: vec![image] }),
            Some(row) => {
                self.say(true, format!("{} has no picture that could be inspected.", row.name));
                Effects::redraw()
            }
            None => Effects::redraw(),
        }
    }

    fn release(&mut self) -> Effects {
        match self.status.as_ref().and_then(|status| self.plugins.to_release(status)) {
            Some(plugin) => self.ask(Request::Release { plugin }),
            None => {
                self.say(true, "This plug-in is not in quarantine.".to_owned());
                Effects::redraw()
            }
        }
    }

    fn heard(&mut self, said: FromEngine) -> Effects {
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
            FromEngine::Event(EngineEvent::Stopping) => {
                self.engine = Engine::Stopping;
                self.note("info", "the engine is stopping".to_owned());
                Effects::redraw()
            }
        }
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
        self.say(true, format!("{reason}. E starts the engine."));
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
            (_, Answer::Ok { .. }) => return Effects::none(),
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

    /// A line of our own for the log.
    fn note(&mut self, level: &str, message: String) {
        let at = self.clock((self.setup.now)());
        self.log.push(LogLine { at, level: level.to_owned(), message });
    }

    fn clock(&self, at: Timestamp) -> String {
        at.to_zoned(self.setup.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    fn rows(&mut self, answer: RowsAnswer) -> Effects {
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
                self.say(true, message);
            }
        }
        Effects::redraw()
    }

    fn picture(&mut self, answer: PictureAnswer) -> Effects {
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

    /// Puts scroll positions into bounds for the room there is.
    fn settle(&mut self) {
        let Some(parts) = layout::parts(self.setup.size) else { return };
        self.captures.window.show(Captures::rows_shown(parts.body));
        self.log.show(usize::from(parts.body.height.saturating_sub(1)));
        if let Some(open) = &mut self.open {
            open.show(parts.body, &self.setup.theme);
        }
        let room = chrome::help_room(parts.body, &self.setup.theme, &self.screen_keys());
        if let Some(Dialog::Help { top }) = &mut self.dialog {
            *top = (*top).min(room);
        }
    }

    /// What has to be read or made for the screen as it is now.
    fn wishes(&mut self) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.screen == ScreenName::Live
            && let Some((capture, urgent)) = self.live.wanted()
        {
            commands.push(Command::Rows(RowsRequest::Detail { asker: DetailFor::Live, capture, urgent }));
        }
        if self.screen == ScreenName::Captures || !self.captures.window.is_empty() {
            commands.extend(self.captures.wanted().map(Command::Rows));
        }
        if let Some(open) = &mut self.open
            && open.wanted()
        {
            let capture = open.capture;
            commands.push(Command::Rows(RowsRequest::Detail { asker: DetailFor::Browse, capture, urgent: true }));
        }
        commands.extend(self.wanted_picture().map(Command::Picture));
        commands
    }

    /// The picture of that capture in the room that the screen has for one.
    fn picture_key(&self, capture: CaptureId) -> Option<PictureKey> {
        let body = layout::parts(self.setup.size)?.body;
        let pane = if self.open.is_some() { layout::detail(body).picture } else { layout::live(body).picture };
        let inner = layout::inner(pane);
        let room = Size::new(inner.width, inner.height);
        Some(PictureKey { capture, room, view: self.view, layers: self.layers, epoch: self.epoch })
    }

    /// The picture to make now, unless it is in hand or asked for.
    fn wanted_picture(&mut self) -> Option<PictureRequest> {
        let detail = match (&self.open, self.screen) {
            (Some(open), _) => open.detail()?,
            (None, ScreenName::Live) => self.live.coming()?,
            (None, _) => return None,
        };
        let detail = Arc::clone(detail);
        let key = self.picture_key(detail.row.capture)?;
        // A new result of the same capture is another picture too.
        let same = self.asked == Some(key) && self.asked_of.as_ref().is_some_and(|asked| Arc::ptr_eq(asked, &detail));
        if same {
            return None;
        }
        // A new capture on Live may wait for the line to be free; what a person asked for may not.
        let urgent = self.open.is_some() || self.live.is_chosen() || self.asked.is_none_or(|asked| !asked.fits(key));
        self.asked = Some(key);
        self.asked_of = Some(Arc::clone(&detail));
        Some(PictureRequest { key, detail, urgent })
    }

    /// Draws the whole screen.
    pub fn draw(&self, frame: &mut Frame) {
        let size = Size::new(frame.area().width, frame.area().height);
        let Some(parts) = layout::parts(size) else { return chrome::too_small(frame, size) };
        let theme = &self.setup.theme;
        let look = Look { theme, zone: &self.setup.zone, picture: &self.shown, covered: self.dialog.is_some() };
        chrome::header(frame, parts.header, theme, &self.setup.workspace, self.screen, self.engine_word());
        let detail = self.open.as_ref().map_or_else(|| self.live.detail(), Open::detail);
        let wanted = detail.and_then(|detail| self.picture_key(detail.row.capture));
        match (&self.open, self.screen) {
            (Some(open), _) => open.draw(frame, parts.body, &look, wanted, text::view(self.view)),
            (None, ScreenName::Live) => self.live.draw(frame, parts.body, &look, self.status.as_ref(), wanted),
            (None, ScreenName::Captures) => {
                let seen = self.status.as_ref().map(|status| status.counts.seen);
                self.captures.draw(frame, parts.body, &look, seen);
            }
            (None, ScreenName::Plugins) => self.plugins.draw(frame, parts.body, &look, self.status.as_ref()),
            (None, ScreenName::Log) => self.log.draw(frame, parts.body, &look),
        }
        match self.dialog {
            Some(Dialog::Help { top }) => chrome::help(frame, parts.body, theme, &self.screen_keys(), top),
            Some(Dialog::Quit) => {
                let stopping = self.engine == Engine::Stopping;
                chrome::quit(frame, parts.body, theme, keys::QUIT, self.setup.at_logout.as_deref(), stopping);
            }
            None => {}
        }
        if let Some((typed, cursor)) = self.captures.search_line().filter(|_| self.dialog.is_none()) {
            return chrome::search(frame, parts.keys, theme, &typed, cursor);
        }
        let notice = self
            .notice
            .as_ref()
            .map(|notice| (notice.text.as_str(), if notice.bad { theme.warn() } else { theme.good() }));
        chrome::bar(frame, parts.keys, theme, &self.keys(), notice);
    }

    fn engine_word(&self) -> (&'static str, ratatui::style::Style) {
        let theme = &self.setup.theme;
        match self.engine {
            Engine::Connecting => (text::ENGINE_CONNECTING, theme.dim()),
            Engine::Connected if self.status.as_ref().is_some_and(|status| status.paused) => {
                (text::ENGINE_PAUSED, theme.warn())
            }
            Engine::Connected => (text::ENGINE_RUNNING, theme.good()),
            Engine::Gone => (text::ENGINE_GONE, theme.bad()),
            Engine::Starting => (text::ENGINE_STARTING, theme.warn()),
            Engine::Stopping => (text::ENGINE_STOPPING, theme.warn()),
        }
    }
}
