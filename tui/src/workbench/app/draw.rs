//! The state drawn. Only looks: nothing here can change it.

use std::sync::Arc;

use ratatui::{Frame, layout::Size, style::Style};

use super::{App, Dialog, Engine};
use crate::workbench::{
    chrome, keys, layout,
    rows::{Detail, Hand},
    screens::{Look, ScreenName},
    text,
};

impl App {
    /// Draws the whole screen.
    pub fn draw(&self, frame: &mut Frame) {
        let size = Size::new(frame.area().width, frame.area().height);
        let Some(parts) = layout::parts(size) else { return chrome::too_small(frame, size) };
        let theme = &self.setup.theme;
        let look = Look {
            theme,
            zone: &self.setup.zone,
            picture: &self.shown,
            beside: &self.beside,
            covered: self.dialog.is_some(),
        };
        let (engine, style) = self.engine_words();
        chrome::header(frame, parts.header, theme, &self.crumbs(), self.screen, (&engine, style));
        let detail = match (&self.open, self.screen) {
            (Some(open), _) => open.detail(),
            (None, ScreenName::Plugins) => self.plugins.open().and_then(|form| form.shown()),
            (None, ScreenName::Review) => self.review.detail(),
            (None, _) => self.live.detail(),
        };
        let key = |detail: &Arc<Detail>, hand| self.picture_key(detail.row.capture, hand);
        let wanted = detail.and_then(|detail| key(detail, Hand::Left));
        let heat = self.heat().map(|(_, heat)| &**heat);
        let view = text::view(self.view, self.layers, self.looked_at(), heat);
        match (&self.open, self.screen) {
            _ if self.pair.is_some() => {
                if let Some(pair) = &self.pair {
                    let wanted = [Hand::Left, Hand::Right].map(|hand| key(pair.detail(hand)?, hand));
                    pair.draw(frame, parts.body, &look, wanted, &view);
                }
            }
            (Some(open), _) => open.draw(frame, parts.body, &look, wanted, &view),
            (None, ScreenName::Live) => self.live.draw(frame, parts.body, &look, self.status.as_ref(), wanted),
            (None, ScreenName::Captures) if self.jobs.is_open() => self.jobs.draw(frame, parts.body, &look),
            (None, ScreenName::Captures) => {
                let seen = self.status.as_ref().map(|status| status.counts.seen);
                self.captures.draw(frame, parts.body, &look, seen);
            }
            (None, ScreenName::Review) => {
                self.review.draw(frame, parts.body, &look, wanted, &view);
            }
            (None, ScreenName::Plugins) => {
                self.plugins.draw(frame, parts.body, &look, self.status.as_ref(), wanted);
            }
            (None, ScreenName::Training) => self.training.draw(frame, parts.body, &look),
            (None, ScreenName::Dataset) => self.dataset.draw(frame, parts.body, &look),
            (None, ScreenName::Log) => self.log.draw(frame, parts.body, &look),
        }
        match &self.dialog {
            Some(Dialog::Help { top }) => chrome::help(frame, parts.body, theme, &self.screen_keys(), *top),
            Some(Dialog::Confirm(confirm)) => {
                let keys = self.setup.keys.apply(keys::CONFIRM);
                chrome::confirm(frame, parts.body, theme, &keys, &text::confirm(confirm));
            }
            Some(Dialog::Palette(palette)) => chrome::palette(frame, parts.body, theme, palette),
            Some(Dialog::Tasks) => chrome::tasks(frame, parts.body, theme, &self.tasks),
            Some(Dialog::Alarms { at }) => {
                chrome::alarms(frame, parts.body, &look, self.alarms(), *at);
            }
            Some(Dialog::Quit) => {
                let stopping = self.engine == Engine::Stopping;
                let keys = self.setup.keys.apply(keys::QUIT);
                chrome::quit(frame, parts.body, theme, &keys, self.setup.at_logout.as_deref(), stopping);
            }
            None => {}
        }
        let prompt = match self.screen {
            _ if self.on_review() => self.review.prompt(),
            ScreenName::Training => self.training.prompt(),
            _ => self.captures.prompt(),
        };
        if let Some(prompt) = prompt.filter(|_| self.dialog.is_none()) {
            return chrome::typed_line(frame, parts.keys, theme, &prompt);
        }
        let notice = self
            .notice
            .as_ref()
            .map(|notice| (notice.text.as_str(), if notice.bad { theme.warn() } else { theme.good() }));
        chrome::bar(frame, parts.keys, theme, &self.keys(), notice);
    }

    /// The engine's state, and how many long things go on; in fewer words where there would be no room to say where one is.
    pub(super) fn engine_words(&self) -> (String, Style) {
        let (words, style) = self.all_engine_words();
        if chrome::has_room(self.setup.size.width, &self.setup.theme, &self.crumbs(), &words) {
            return (words, style);
        }
        (words.trim_start_matches(text::ENGINE_PREFIX).to_owned(), style)
    }

    fn all_engine_words(&self) -> (String, Style) {
        let (word, style) = self.engine_word();
        // What rings says more than that an engine runs.
        if let (Engine::Connected, unseen @ 1..) = (self.engine, self.unseen_alarms()) {
            let alarms = format!("{} {}", self.setup.theme.signs.warn, text::alarms(unseen));
            let words = if self.setup.size.width < 100 { alarms } else { format!("{word}, {alarms}") };
            return (words, self.setup.theme.bad());
        }
        match self.tasks.running() {
            0 => (word.to_owned(), style),
            // A narrow title line has no room for a word that everybody knows.
            running if self.setup.size.width < 100 => {
                let word = word.trim_start_matches(text::ENGINE_PREFIX);
                (format!("{word}, {}", text::tasks(running)), style)
            }
            running => (format!("{word}, {}", text::tasks(running)), style),
        }
    }

    fn engine_word(&self) -> (&'static str, Style) {
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
