//! Where a person is: from screen to screen, from row to row, into one capture and out again.

use super::{App, Dialog};
use crate::workbench::{
    event::{Command, Effects},
    layout,
    rows::{Detail, Hand},
    screens::{ScreenName, detail::Open},
};

impl App {
    pub(super) fn go(&mut self, screen: ScreenName) {
        match screen {
            ScreenName::Dataset => self.dataset.outdated(),
            ScreenName::Captures => self.captures.enter(),
            _ => {}
        }
        self.screen = screen;
        self.open = None;
        self.pair = None;
        self.jobs.close();
        if screen == ScreenName::Review {
            self.review.enter(self.setup.user.as_deref());
        }
    }

    pub(super) fn step(&mut self, by: isize) {
        match &mut self.dialog {
            Some(Dialog::Help { top }) => return *top = top.saturating_add_signed(by),
            Some(Dialog::Palette(palette)) => return palette.step(by),
            Some(Dialog::Tasks) => return self.tasks.step(by),
            Some(Dialog::Alarms { .. }) => return self.step_alarms(by),
            _ => {}
        }
        if self.captures.step_menu(by) {
            return;
        }
        if let Some(open) = &mut self.open {
            open.scroll(by);
        } else {
            match self.screen {
                ScreenName::Live => self.live.step(by),
                ScreenName::Captures if self.jobs.is_open() => self.jobs.step(by),
                ScreenName::Captures => self.captures.window.step(by),
                ScreenName::Review => self.review.step(by),
                ScreenName::Plugins => match self.plugins.form() {
                    Some(form) => form.form.step(by),
                    None => {
                        let count = self.plugins.rows(self.status.as_ref()).len();
                        self.plugins.step(by, count);
                    }
                },
                ScreenName::Training => match self.training.form() {
                    Some(form) => form.form.step(by),
                    None => self.training.step(by),
                },
                // A screenful moves the groups, one step the cursor over the formats.
                ScreenName::Dataset if by.unsigned_abs() > 1 => self.dataset.scroll(by),
                ScreenName::Dataset => self.dataset.step(by),
                ScreenName::Log => self.log.step(by),
            }
        }
    }

    /// Rows that a page key moves by: one less than are shown, so that a line stays to hold on to.
    pub(super) fn page(&self) -> isize {
        let body = layout::parts(self.setup.size).map_or(1, |parts| parts.body.height);
        isize::try_from(body.saturating_sub(3).max(1)).unwrap_or(1)
    }

    pub(super) fn first(&mut self) -> Effects {
        if self.captures.step_menu(isize::MIN) {
            return Effects::redraw();
        }
        if let Some(open) = &mut self.open {
            open.scroll(isize::MIN);
            return Effects::redraw();
        }
        match self.screen {
            ScreenName::Live => self.live.follow(),
            ScreenName::Captures if self.jobs.is_open() => self.jobs.step(isize::MIN),
            ScreenName::Captures => return Effects::command(Command::Rows(self.captures.first())),
            ScreenName::Review => self.review.step(isize::MIN),
            ScreenName::Plugins => self.step(isize::MIN / 2),
            ScreenName::Training => self.training.step(isize::MIN),
            ScreenName::Dataset => self.dataset.scroll(isize::MIN),
            ScreenName::Log => self.log.first(),
        }
        Effects::redraw()
    }

    pub(super) fn last(&mut self) -> Effects {
        let mut effects = Effects::redraw();
        if self.captures.step_menu(isize::MAX / 2) {
            return effects;
        }
        if let Some(open) = &mut self.open {
            open.scroll(isize::MAX / 2);
        } else if self.screen == ScreenName::Captures && !self.jobs.is_open() {
            effects.commands.extend(self.captures.last().map(Command::Rows));
        } else {
            self.step(isize::MAX / 2);
        }
        effects
    }

    /// Escape: out of the help, the capture, or what was chosen.
    pub(super) fn back(&mut self) {
        if self.dialog.take().is_none() && self.pair.take().is_none() {
            self.open = None;
        }
    }

    pub(super) fn open_selected(&mut self) {
        let capture = match self.screen {
            ScreenName::Live => self.live.shown(),
            ScreenName::Captures => self.captures.window.selected().map(|row| row.capture),
            ScreenName::Review | ScreenName::Plugins | ScreenName::Training | ScreenName::Dataset | ScreenName::Log => {
                None
            }
        };
        self.open = capture.map(Open::new);
    }

    /// The next capture of the list while one is open.
    pub(super) fn turn(&mut self, by: isize) {
        let next = if self.on_jobs() {
            // The end's own captures: the one before, and the one that decides.
            self.jobs.turn(by > 0)
        } else if self.screen == ScreenName::Live {
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

    /// The capture whose picture is shown.
    pub(super) fn looked_at(&self) -> Option<&Detail> {
        let detail = match (&self.open, self.screen) {
            _ if self.pair.is_some() => self.pair.as_ref().and_then(|pair| pair.detail(Hand::Left)),
            (Some(open), _) => open.detail(),
            (None, ScreenName::Review) => self.review.detail(),
            (None, _) => self.live.detail(),
        };
        detail.map(AsRef::as_ref)
    }

    /// Where a closer look begins: at the fibre, in thousandths of the picture.
    pub(super) fn middle(&self) -> (u16, u16) {
        let inspection = self.looked_at().and_then(|detail| detail.inspection.as_ref());
        let place = inspection.and_then(|it| {
            it.zones.cladding.map(|zone| (zone.cx / f64::from(it.width), zone.cy / f64::from(it.height)))
        });
        let thousandths = |part: f64| (part.clamp(0.0, 1.0) * 1_000.0) as u16;
        place.map_or((500, 500), |(x, y)| (thousandths(x), thousandths(y)))
    }
}
