//! A line of text that is typed at the bottom of the screen: a filter, a name.

use tui_input::Input;

use super::{keys::Key, plain, typing};

/// Characters that a line holds; a pasted file is none.
const MOST: usize = 1_000;

/// What is being typed.
#[derive(Debug, Clone, Default)]
pub struct Line {
    input: Input,
    /// What Tab has offered last, and which of it.
    offered: Option<(Vec<String>, usize)>,
}

impl Line {
    pub fn new(text: String) -> Self {
        Self { input: Input::new(text), offered: None }
    }

    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// A key that goes into the text.
    pub fn typed(&mut self, key: Key) {
        let full = self.text().chars().count() >= MOST && key.typed().is_some();
        if !full && typing::edit(&mut self.input, key) {
            self.offered = None;
        }
    }

    pub fn pasted(&mut self, pasted: &str) {
        self.offered = None;
        let room = MOST.saturating_sub(self.text().chars().count());
        typing::paste(&mut self.input, &pasted.chars().take(room).collect::<String>());
    }

    /// Puts what the text could become in its place; asked again, the next of it.
    pub fn complete(&mut self, candidates: impl FnOnce(&str) -> Vec<String>) {
        let (list, next) = match self.offered.take() {
            Some((list, last)) => {
                let next = (last + 1) % list.len().max(1);
                (list, next)
            }
            None => (candidates(self.text()), 0),
        };
        if let Some(text) = list.get(next) {
            self.input = Input::new(text.clone());
            self.offered = Some((list, next));
        }
    }

    /// The text without anything that a terminal could act on, and the cursor's column in it.
    pub fn shown(&self) -> (String, usize) {
        (plain::clean(self.text()), self.input.visual_cursor())
    }
}
