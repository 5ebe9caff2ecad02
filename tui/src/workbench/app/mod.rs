//! The one owner of everything that the screen shows. Events come in, effects go out; drawing only looks.

mod act;
mod alarm;
mod dataset;
mod decide;
mod draw;
mod hear;
mod job;
mod look;
mod plugin;
mod reference;
mod train;
mod walk;

use std::sync::Arc;

use ferrule_core::{
    ids::{BuildHash, CaptureId, PluginId},
    protocol::Status,
};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use ratatui::layout::Size;

use super::{
    chrome,
    event::{Command, Effects, Event, Exit},
    keymap::{KeyMap, Layer},
    keys, layout,
    palette::Palette,
    picture::{Layers, PictureKey, PictureRequest, View},
    plain,
    rows::{Detail, DetailFor, Hand, RowsRequest},
    screens::{
        ScreenName, Shown,
        captures::{self, Captures},
        dataset::{self as dataset_screen, Dataset},
        detail::{self, Open},
        jobs::{self, Jobs},
        live::{self, Live},
        log::{self, Log, LogLine},
        pair::{self, Pair},
        plugins::{self, Plugins},
        review::{self, Reviewing},
        training::{self, Training},
    },
    tasks::Tasks,
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
#[derive(Debug, Clone, PartialEq, Eq)]
enum Dialog {
    Help {
        top: usize,
    },
    Quit,
    Confirm(Confirm),
    Palette(Palette),
    Tasks,
    /// The alarm under the cursor.
    Alarms {
        at: usize,
    },
}

/// Something that is done once a person has said so twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirm {
    StopTraining,
    DeleteRun(String),
    PutBack { plugin: PluginId, build: BuildHash },
    Deploy { run: String, model: String, task: String },
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
    pub keys: KeyMap,
    /// The mouse is ours.
    pub mouse: bool,
    /// Another program and its arguments, for a capture's file.
    pub open: Vec<String>,
    pub zone: TimeZone,
    pub at_logout: Option<String>,
    /// Who reviewed last.
    pub reviewer: Option<String>,
    /// Whom the session belongs to, to be asked whether they review.
    pub user: Option<String>,
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
    jobs: Jobs,
    open: Option<Open>,
    /// Two captures, over everything else.
    pair: Option<Pair>,
    review: Reviewing,
    plugins: Plugins,
    training: Training,
    dataset: Dataset,
    tasks: Tasks,
    log: Log,
    view: View,
    layers: Layers,
    heating: look::Heating,
    listing: look::Listing,
    references: reference::References,
    shown: Shown,
    /// The picture that was asked for last.
    asked: Option<PictureKey>,
    asked_of: Option<Arc<Detail>>,
    /// The second of two.
    beside: Shown,
    asked_beside: Option<PictureKey>,
    /// The database could not be read; the next key tries again.
    rows_failed: bool,
    /// Counted up when the terminal has to be sent its picture anew.
    epoch: u32,
}

impl App {
    pub fn new(setup: Setup) -> Self {
        Self {
            review: Reviewing::new(setup.reviewer.clone()),
            setup,
            screen: ScreenName::Live,
            dialog: None,
            notice: None,
            engine: Engine::Connecting,
            status: None,
            live: Live::default(),
            captures: Captures::new(),
            jobs: Jobs::default(),
            open: None,
            pair: None,
            plugins: Plugins::default(),
            training: Training::default(),
            dataset: Dataset::default(),
            tasks: Tasks::default(),
            log: Log::default(),
            view: View::Whole,
            layers: Layers::All,
            heating: look::Heating::default(),
            listing: look::Listing::default(),
            references: reference::References::default(),
            shown: Shown::default(),
            asked: None,
            asked_of: None,
            beside: Shown::default(),
            asked_beside: None,
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
            Event::Runs(answer) => self.runs(answer),
            Event::Plugins(answer) => self.plugins_answered(answer),
            Event::Comparison(answer) => self.compared(answer),
            Event::Reference(answer) => self.reference_answered(answer),
            Event::Dataset(answer) => self.dataset_answered(answer),
            Event::Folders(_) => Effects::none(),
            Event::Picture(answer) => self.picture(answer),
            Event::Saved(result) => self.saved(result),
            Event::NotOpened(message) => self.not_opened(message),
            Event::Signal(signal) => self.signal(signal),
            Event::TerminalLost => Effects::command(Command::Quit(Exit::TerminalLost)),
        };
        self.settle();
        effects.commands.extend(self.wishes());
        effects
    }

    /// The keys in force, the innermost first.
    pub fn keys(&self) -> Vec<Layer> {
        let own = |bindings| vec![self.setup.keys.apply(bindings)];
        match self.dialog {
            Some(Dialog::Quit) => own(keys::QUIT),
            Some(Dialog::Help { .. }) => own(keys::HELP),
            Some(Dialog::Confirm(_)) => own(keys::CONFIRM),
            Some(Dialog::Tasks) => own(keys::TASKS),
            Some(Dialog::Alarms { .. }) => own(keys::ALARMS),
            Some(Dialog::Palette(_)) => vec![keys::PALETTE.into()],
            None => {
                let inner = if self.on_review() { self.review.inner_keys() } else { self.captures.inner_keys() };
                inner.map_or_else(|| self.screen_keys(), |inner| vec![inner.into()])
            }
        }
    }

    /// The screen's keys and those that work everywhere.
    fn screen_keys(&self) -> Vec<Layer> {
        // Where text is typed, keys stay as they ship.
        if self.screen == ScreenName::Training && self.open.is_none() {
            if self.training.is_noting() {
                return vec![keys::NOTE.into()];
            }
            if self.training.is_form_open() {
                return vec![keys::TRAINING_FORM.into()];
            }
        }
        if self.on_plugins() && self.plugins.open().is_some() {
            return vec![keys::PARAMETERS.into()];
        }
        let screen = match (self.screen, &self.open) {
            _ if self.pair.is_some() => pair::KEYS,
            (_, Some(_)) => detail::KEYS,
            (ScreenName::Live, None) => live::KEYS,
            (ScreenName::Captures, None) if self.jobs.is_open() => jobs::KEYS,
            (ScreenName::Captures, None) => captures::KEYS,
            (ScreenName::Review, None) => review::KEYS,
            (ScreenName::Plugins, None) => match self.plugins.builds() {
                None => plugins::KEYS,
                Some(builds) if builds.is_comparing() => plugins::DIFFERENCES,
                Some(_) => plugins::BUILDS,
            },
            (ScreenName::Training, None) => training::KEYS,
            (ScreenName::Dataset, None) => dataset_screen::KEYS,
            (ScreenName::Log, None) => log::KEYS,
        };
        [screen, keys::GLOBAL].map(|bindings| self.setup.keys.apply(bindings)).into()
    }

    /// Where a person is, from the workspace inwards.
    fn crumbs(&self) -> Vec<String> {
        let mut crumbs = vec![self.setup.workspace.clone(), text::screen(self.screen).to_owned()];
        if self.screen == ScreenName::Captures && self.jobs.is_open() {
            crumbs.extend(self.jobs.inside().map(|job| format!("{} {}", text::JOB, job.name)));
        }
        match &self.open {
            _ if self.pair.is_some() => crumbs.push(text::PAIR_TITLE.to_owned()),
            Some(open) => crumbs.push(format!("#{}", open.capture)),
            None if self.screen == ScreenName::Training && self.training.is_form_open() => {
                crumbs.push(text::TRAINING_NEW.to_owned());
            }
            None if self.screen == ScreenName::Plugins => {
                let builds = self.plugins.builds().map(|builds| &builds.plugin);
                crumbs.extend(self.plugins.open().map(|form| &form.plugin).or(builds).map(ToString::to_string));
            }
            None => {}
        }
        crumbs
    }

    /// What was wrong before the screen was there: into the log, and the first of it where it is seen.
    pub fn warn(&mut self, problems: Vec<String>) {
        for problem in problems {
            let problem = plain::clean(&problem);
            self.note("warn", problem.clone());
            if self.notice.is_none() {
                self.say(true, problem);
            }
        }
    }

    fn say(&mut self, bad: bool, text: String) {
        self.notice = Some(Notice { text, bad });
    }

    /// A line of our own for the log.
    fn note(&mut self, level: &str, message: String) {
        let at = self.clock((self.setup.now)());
        self.log.push(LogLine { at, level: level.to_owned(), message });
    }

    fn clock(&self, at: Timestamp) -> String {
        at.to_zoned(self.setup.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// The clock where the person is.
    fn now(&self) -> Zoned {
        (self.setup.now)().to_zoned(self.setup.zone.clone())
    }

    /// Puts scroll positions into bounds for the room there is.
    fn settle(&mut self) {
        let Some(parts) = layout::parts(self.setup.size) else { return };
        self.captures.window.show(Captures::rows_shown(parts.body));
        self.log.show(usize::from(parts.body.height.saturating_sub(1)));
        self.training.show(parts.body);
        self.dataset.show(parts.body);
        let fields = layout::inner(layout::form(parts.body).fields);
        if let Some(form) = self.plugins.form() {
            form.form.show(fields.height);
        }
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
        // Trials are on the capture of the Live screen, also where nobody has been there since it came.
        let tries = self.on_plugins() && self.live.detail().is_none() && self.plugins.form().is_some();
        if (self.screen == ScreenName::Live || tries)
            && let Some((capture, urgent)) = self.live.wanted()
        {
            commands.push(Command::Rows(RowsRequest::Detail { asker: DetailFor::Live, capture, urgent }));
        }
        if let Some(parts) = layout::parts(self.setup.size).filter(|_| self.screen == ScreenName::Live)
            && let Some(limit) = self.live.wanted_trend(parts.body)
        {
            commands.push(Command::Rows(RowsRequest::Trend { limit }));
        }
        if self.screen == ScreenName::Captures && self.jobs.wanted() {
            commands.push(Command::Rows(RowsRequest::Jobs { limit: jobs::MOST }));
        }
        if self.screen == ScreenName::Training && self.open.is_none() {
            commands.extend(self.training_wishes());
        }
        if self.on_plugins() {
            commands.extend(self.plugin_wishes());
        }
        if self.screen == ScreenName::Dataset && self.open.is_none() {
            commands.extend(self.dataset.wanted().map(Command::Dataset));
        }
        let looked_at = self.screen == ScreenName::Captures && !self.jobs.is_open();
        commands.extend(self.captures.wanted(looked_at).into_iter().map(Command::Rows));
        commands.extend(self.look_wishes());
        if let Some(open) = &mut self.open
            && open.wanted()
        {
            let capture = open.capture;
            commands.push(Command::Rows(RowsRequest::Detail { asker: DetailFor::Browse, capture, urgent: true }));
        }
        if self.screen == ScreenName::Review {
            commands.extend(self.review.wanted().into_iter().map(Command::Rows));
            if let Some(capture) = self.review.wanted_detail() {
                commands.push(Command::Rows(RowsRequest::Detail { asker: DetailFor::Review, capture, urgent: true }));
            }
        }
        commands.extend(self.wanted_pictures().into_iter().map(Command::Picture));
        commands
    }

    /// The picture of that capture in the room that the screen has for one.
    fn picture_key(&self, capture: CaptureId, hand: Hand) -> Option<PictureKey> {
        let body = layout::parts(self.setup.size)?.body;
        let pane = match (&self.pair, &self.open, self.screen) {
            (Some(_), ..) if hand == Hand::Right => layout::pair(body).right.picture,
            (Some(_), ..) => layout::pair(body).left.picture,
            (None, Some(_), _) | (None, None, ScreenName::Review) => layout::detail(body).picture,
            (None, None, ScreenName::Plugins) => layout::trial(layout::form(body).beside).picture,
            (None, None, _) => layout::live(body).picture,
        };
        let inner = layout::inner(pane);
        let room = Size::new(inner.width, inner.height);
        let mark = self.review.mark().filter(|_| self.on_review());
        let heat = self.heat().map_or(0, |(ticket, _)| ticket);
        Some(PictureKey { capture, room, view: self.view, layers: self.layers, mark, heat, epoch: self.epoch })
    }

    /// The pictures to make now, unless they are in hand or asked for.
    fn wanted_pictures(&mut self) -> Vec<PictureRequest> {
        let Some(pair) = &self.pair else { return self.wanted_picture().into_iter().collect() };
        let details = [Hand::Left, Hand::Right].map(|hand| pair.detail(hand).cloned());
        let mut wanted = Vec::new();
        for (hand, detail) in [Hand::Left, Hand::Right].into_iter().zip(details) {
            let Some(detail) = detail else { continue };
            let Some(key) = self.picture_key(detail.row.capture, hand) else { continue };
            let asked = if hand == Hand::Left { &mut self.asked } else { &mut self.asked_beside };
            if asked.replace(key) != Some(key) {
                wanted.push(PictureRequest { key, detail, heat: None, hand, urgent: true });
            }
        }
        wanted
    }

    /// The screen's one picture.
    fn wanted_picture(&mut self) -> Option<PictureRequest> {
        self.asked_beside = None;
        let detail = match (&self.open, self.screen) {
            (Some(open), _) => open.detail()?,
            (None, ScreenName::Live) => self.live.coming()?,
            (None, ScreenName::Plugins) => self.plugins.open()?.shown()?,
            (None, ScreenName::Review) => self.review.detail()?,
            (None, _) => return None,
        };
        let detail = Arc::clone(detail);
        let key = self.picture_key(detail.row.capture, Hand::Left)?;
        // A new result of the same capture is another picture too.
        let same = self.asked == Some(key) && self.asked_of.as_ref().is_some_and(|asked| Arc::ptr_eq(asked, &detail));
        if same {
            return None;
        }
        // A new capture on Live may wait for the line to be free; what a person asked for may not.
        let urgent = self.open.is_some()
            || self.screen == ScreenName::Review
            || self.live.is_chosen()
            || self.asked.is_none_or(|asked| !asked.fits(key));
        self.asked = Some(key);
        self.asked_of = Some(Arc::clone(&detail));
        let heat = self.heat().map(|(_, heat)| Arc::clone(heat));
        Some(PictureRequest { key, detail, heat, hand: Hand::Left, urgent })
    }
}
