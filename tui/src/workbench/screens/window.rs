//! A window onto a list of any length: the rows around the cursor are held, the rest stays in the database.
//!
//! Pages are asked for by key (a capture), never by offset, so a million rows cost as much as a hundred. At most [`MOST`]
//! rows are held.

use ferrule_core::ids::CaptureId;

use crate::workbench::rows::{Page, Place, Row};

/// Rows asked for at once.
pub const PAGE: usize = 200;

/// Rows held.
const MOST: usize = 1_000;

/// When fewer rows than this are left before an end, more are asked for.
const MARGIN: usize = 60;

/// The rows in hand, and the cursor.
#[derive(Debug, Default)]
pub struct Window {
    rows: Vec<Row>,
    cursor: usize,
    /// The first row on the screen.
    top: usize,
    /// The first row in hand is the first of all; likewise the last.
    starts: bool,
    ends: bool,
    /// Keeps the cursor on the first row while new ones come.
    follow: bool,
    /// What was asked for and has not come.
    asked: Option<Place>,
    /// New captures came since the first page was read.
    stale: bool,
}

impl Window {
    pub fn new() -> Self {
        Self { follow: true, ..Self::default() }
    }

    pub fn is_loading(&self) -> bool {
        self.asked.is_some() && self.rows.is_empty()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn selected(&self) -> Option<&Row> {
        self.rows.get(self.cursor)
    }

    /// The row on the screen that the cursor is on, and the rows shown.
    pub fn visible(&self, height: usize) -> (usize, &[Row]) {
        let top = self.top.min(self.rows.len());
        let shown = &self.rows[top..(top + height).min(self.rows.len())];
        (self.cursor.saturating_sub(top), shown)
    }

    /// Moves the cursor; what is not in hand yet comes with [`Self::wanted`].
    pub fn step(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.rows.len().saturating_sub(1));
        self.follow = self.cursor == 0 && self.starts && by < 0;
    }

    /// To the first row, and stays there.
    pub fn first(&mut self) -> Place {
        self.follow = true;
        self.cursor = 0;
        self.top = 0;
        self.ask_first()
    }

    /// What comes after the question makes the list stale again, also while the answer is on its way.
    fn ask_first(&mut self) -> Place {
        self.stale = false;
        self.asked = Some(Place::First);
        Place::First
    }

    /// To the last row.
    pub fn last(&mut self) -> Option<Place> {
        self.follow = false;
        if self.ends {
            self.cursor = self.rows.len().saturating_sub(1);
            return None;
        }
        self.asked = Some(Place::Last);
        self.asked
    }

    /// Keeps the cursor on the screen. Called whenever the room or the cursor changed.
    pub fn show(&mut self, height: usize) {
        let height = height.max(1);
        if self.follow {
            self.cursor = 0;
        }
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.top = self.top.clamp((self.cursor + 1).saturating_sub(height), self.cursor);
        self.top = self.top.min(self.rows.len().saturating_sub(height));
    }

    /// The page to ask for now, if one is needed and none is on its way.
    pub fn wanted(&mut self) -> Option<Place> {
        if self.asked.is_some() {
            return None;
        }
        let (Some(first), Some(last)) = (self.rows.first(), self.rows.last()) else {
            return self.stale.then(|| self.ask_first());
        };
        let (first, last) = (first.capture, last.capture);
        let place = if !self.ends && self.rows.len() - self.cursor <= MARGIN {
            Place::After(last)
        } else if !self.starts && self.cursor < MARGIN {
            Place::Before(first)
        } else if self.stale && self.starts && self.cursor < PAGE / 2 {
            return Some(self.ask_first());
        } else {
            return None;
        };
        self.asked = Some(place);
        self.asked
    }

    /// Takes the page that came for `place`.
    pub fn take(&mut self, place: Place, page: Page) {
        if self.asked == Some(place) {
            self.asked = None;
        }
        match place {
            Place::First => self.take_first(page),
            Place::Last => {
                self.rows = page.rows;
                (self.starts, self.ends) = (page.ends, true);
                self.cursor = self.rows.len().saturating_sub(1);
            }
            Place::After(capture) => {
                if self.rows.last().is_some_and(|row| row.capture == capture) {
                    self.rows.extend(page.rows);
                    self.ends = page.ends;
                    let surplus = self.rows.len().saturating_sub(MOST).min(self.cursor.saturating_sub(PAGE));
                    if surplus > 0 {
                        self.rows.drain(..surplus);
                        self.cursor -= surplus;
                        self.top = self.top.saturating_sub(surplus);
                        self.starts = false;
                    }
                }
            }
            Place::Before(capture) => {
                if self.rows.first().is_some_and(|row| row.capture == capture) {
                    let count = page.rows.len();
                    self.rows.splice(..0, page.rows);
                    self.cursor += count;
                    self.top += count;
                    self.starts = page.ends;
                    let keep = MOST.max(self.cursor + PAGE);
                    if self.rows.len() > keep {
                        self.rows.truncate(keep);
                        self.ends = false;
                    }
                }
            }
        }
    }

    /// The first rows, again or for the first time; the cursor stays on its capture.
    fn take_first(&mut self, page: Page) {
        let on = self.selected().map(|row| row.capture).filter(|_| !self.follow);
        let mut rows = page.rows;
        let mut ends = page.ends;
        // What was read further down stays in hand when it joins on.
        let last = rows.last().map(|row| row.capture);
        let joint = self.rows.iter().position(|row| Some(row.capture) == last).filter(|_| self.starts && !page.ends);
        if let Some(joint) = joint {
            let below = self.rows[joint + 1..].iter().filter(|row| rows.iter().all(|new| new.capture != row.capture));
            let below: Vec<Row> = below.cloned().collect();
            ends = self.ends && !below.is_empty();
            rows.extend(below);
        }
        self.rows = rows;
        (self.starts, self.ends) = (true, ends);
        if let Some(index) = on.and_then(|capture| self.rows.iter().position(|row| row.capture == capture)) {
            self.top = (self.top + index).saturating_sub(self.cursor);
            self.cursor = index;
        } else if on.is_none() {
            self.cursor = 0;
        }
    }

    /// Changes a row in hand; whether it was there.
    pub fn change(&mut self, capture: CaptureId, change: impl FnOnce(&mut Row)) -> bool {
        let row = self.rows.iter_mut().find(|row| row.capture == capture);
        let found = row.is_some();
        if let Some(row) = row {
            change(row);
        }
        found
    }

    /// Something changed that the first page may show.
    pub fn outdated(&mut self) {
        self.stale = true;
    }
}

#[cfg(test)]
mod tests {
    use ferrule_core::report::CaptureState;

    use super::*;

    fn row(id: i64) -> Row {
        Row { name: format!("{id}.png"), ..Row::new(CaptureId(id), CaptureState::Done) }
    }

    /// A list of captures 1 to `newest`, answered like the database does.
    fn answer(newest: i64, place: Place) -> Page {
        let ids: Vec<i64> = match place {
            Place::First => (1..=newest).rev().take(PAGE).collect(),
            Place::After(CaptureId(id)) => (1..id).rev().take(PAGE).collect(),
            Place::Before(CaptureId(id)) => {
                let mut ids: Vec<_> = (id + 1..=newest).take(PAGE).collect();
                ids.reverse();
                ids
            }
            Place::Last => {
                let mut ids: Vec<_> = (1..=newest).take(PAGE).collect();
                ids.reverse();
                ids
            }
        };
        Page { ends: ids.len() < PAGE, rows: ids.into_iter().map(row).collect() }
    }

    fn settle(window: &mut Window, newest: i64, height: usize) {
        window.show(height);
        while let Some(place) = window.wanted() {
            window.take(place, answer(newest, place));
            window.show(height);
        }
    }

    fn selected(window: &Window) -> i64 {
        window.selected().map_or(0, |row| row.capture.0)
    }

    #[test]
    fn every_row_of_a_long_list_is_reached_in_order_and_memory_stays_bounded() {
        let newest = 12_345;
        let mut window = Window::new();
        let place = window.first();
        window.take(place, answer(newest, place));
        for expected in (1..=newest).rev() {
            assert_eq!(selected(&window), expected);
            assert!(window.rows.len() <= MOST + PAGE);
            window.step(1);
            settle(&mut window, newest, 30);
        }
        for expected in 1..=newest {
            assert_eq!(selected(&window), expected);
            window.step(-1);
            settle(&mut window, newest, 30);
        }
        assert!(window.follow);
    }

    #[test]
    fn the_end_is_one_page_away() {
        let mut window = Window::new();
        let place = window.first();
        window.take(place, answer(1_000_000, place));
        let place = window.last().expect("a page to ask for");
        window.take(place, answer(1_000_000, place));
        settle(&mut window, 1_000_000, 20);
        assert_eq!(selected(&window), 1);
        let (cursor, shown) = window.visible(20);
        assert_eq!((cursor, shown.len()), (19, 20));
    }

    #[test]
    fn new_captures_do_not_move_the_cursor_off_its_capture_unless_it_follows() {
        let mut window = Window::new();
        let place = window.first();
        window.take(place, answer(500, place));
        settle(&mut window, 500, 20);
        window.outdated();
        settle(&mut window, 507, 20);
        assert_eq!(selected(&window), 507, "it follows the newest");
        window.step(3);
        window.outdated();
        settle(&mut window, 520, 20);
        assert_eq!(selected(&window), 504, "it stays on its capture");
    }

    #[test]
    fn an_empty_list_fills_when_captures_come() {
        let mut window = Window::new();
        let place = window.first();
        window.take(place, answer(0, place));
        settle(&mut window, 0, 20);
        assert_eq!(selected(&window), 0);
        window.outdated();
        settle(&mut window, 3, 20);
        assert_eq!(selected(&window), 3);
    }

    #[test]
    fn a_capture_that_comes_while_the_first_page_is_read_is_not_missed() {
        let mut window = Window::new();
        let place = window.first();
        window.outdated();
        window.take(place, answer(4, place));
        settle(&mut window, 5, 20);
        assert_eq!(selected(&window), 5);
    }

    #[test]
    fn an_answer_that_no_longer_joins_on_is_left_aside() {
        let mut window = Window::new();
        let place = window.first();
        window.take(place, answer(500, place));
        window.take(Place::After(CaptureId(7)), answer(500, Place::After(CaptureId(7))));
        assert_eq!(window.rows.len(), PAGE);
    }
}
