//! The command palette: everything that a key does where it was opened, found by a few of its letters.

use ratatui::text::{Line, Span};
use tui_input::Input;

use super::{
    keymap::Layer,
    keys::{Action, Key},
    plain::{cut, fit},
    text,
    theme::Theme,
    typing,
};

/// One thing that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub action: Action,
    what: String,
    keys: String,
}

/// The palette while it is open.
#[derive(Debug, Clone)]
pub struct Palette {
    line: Input,
    items: Vec<Item>,
    chosen: usize,
}

impl PartialEq for Palette {
    fn eq(&self, other: &Self) -> bool {
        self.line.value() == other.line.value() && self.items == other.items && self.chosen == other.chosen
    }
}

impl Eq for Palette {}

impl Palette {
    /// Over these keys.
    pub fn over(layers: &[Layer]) -> Self {
        let mut items: Vec<Item> = Vec::new();
        for bound in layers.iter().flat_map(|layer| &layer.list) {
            let (word, sentence) = text::action(bound.action);
            if is_motion(bound.action) || items.iter().any(|item| item.action == bound.action) {
                continue;
            }
            let keys: Vec<String> = bound.keys.iter().map(ToString::to_string).collect();
            items.push(Item { action: bound.action, what: format!("{word}: {sentence}"), keys: keys.join(" ") });
        }
        Self { line: Input::default(), items, chosen: 0 }
    }

    pub fn key(&mut self, key: Key) {
        if typing::edit(&mut self.line, key) {
            self.chosen = 0;
        }
    }

    pub fn paste(&mut self, pasted: &str) {
        typing::paste(&mut self.line, pasted);
        self.chosen = 0;
    }

    pub fn step(&mut self, by: isize) {
        let last = self.found().len().saturating_sub(1);
        self.chosen = self.chosen.saturating_add_signed(by).min(last);
    }

    /// What fits what is typed, the best first.
    fn found(&self) -> Vec<&Item> {
        let wanted = self.line.value().trim();
        let mut found: Vec<(i32, &Item)> =
            self.items.iter().filter_map(|item| Some((likeness(wanted, &item.what)?, item))).collect();
        // Stable: what fits equally well stays in the order of the keys.
        found.sort_by_key(|(likeness, _)| std::cmp::Reverse(*likeness));
        found.into_iter().map(|(_, item)| item).collect()
    }

    /// What Enter does.
    pub fn action(&self) -> Option<Action> {
        self.found().get(self.chosen).map(|item| item.action)
    }

    /// The line that is typed and, below it, as many of those found as there is room for; and the cursor's column.
    pub fn lines(&self, width: usize, rows: usize, theme: &Theme) -> (Vec<Line<'static>>, usize) {
        let (typed, cursor) = typing::window(&self.line, width.saturating_sub(3));
        let mut lines = vec![Line::from(vec![Span::styled(": ", theme.key()), Span::raw(typed)])];
        let found = self.found();
        if found.is_empty() {
            lines.push(Line::styled(text::NO_COMMAND, theme.dim()));
        }
        let top = (self.chosen + 1).saturating_sub(rows.max(1));
        for (place, item) in found.iter().enumerate().skip(top).take(rows) {
            let keys = cut(&item.keys, 16, theme.signs.ellipsis);
            let room = width.saturating_sub(Span::raw(keys.as_str()).width() + 2);
            let line = Line::from(vec![
                Span::raw(format!("{} ", fit(&item.what, room, theme.signs.ellipsis))),
                Span::styled(keys, theme.key()),
            ]);
            lines.push(if place == self.chosen { super::screens::chosen(line, theme) } else { line });
        }
        (lines, cursor + 2)
    }
}

/// Moving about makes no sense in a list of commands.
fn is_motion(action: Action) -> bool {
    use Action::{Back, Down, First, Last, Open, PageDown, PageUp, Palette, Up};
    matches!(action, Up | Down | PageUp | PageDown | First | Last | Open | Back | Palette)
}

/// How well `wanted` fits: its letters must occur in order; runs of letters and beginnings of words count more. `None` where
/// they do not occur.
fn likeness(wanted: &str, text: &str) -> Option<i32> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut score, mut at, mut before) = (0, 0, None);
    for letter in wanted.to_lowercase().chars().filter(|letter| !letter.is_whitespace()) {
        let starts = |place: usize| place == 0 || !text[place - 1].is_alphanumeric();
        let next = (at..text.len()).filter(|place| text[*place] == letter);
        // The letter that goes on the run, else the next that begins a word, else the next at all.
        let run = next.clone().find(|place| before.is_some_and(|before| *place == before + 1));
        let place = run.or_else(|| next.clone().find(|place| starts(*place))).or_else(|| next.clone().next())?;
        score += match (run.is_some(), starts(place)) {
            (true, _) => 8,
            (false, true) => 6,
            (false, false) => 1,
        };
        // The earlier the better.
        score -= i32::try_from(place / 16).unwrap_or(0);
        (before, at) = (Some(place), place + 1);
    }
    Some(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_fit_and_beginnings_of_words_fit_better() {
        assert_eq!(likeness("xyz", "stop the engine"), None);
        assert!(likeness("", "anything").is_some());
        let better = |wanted: &str, one: &str, other: &str| {
            assert!(likeness(wanted, one) > likeness(wanted, other), "{wanted}: {one} over {other}");
        };
        better("se", "stop the engine", "rescan: look into every folder");
        better("deploy", "deploy: put what this run made to work", "delete: remove epochs, and play on yonder");
        better("reta", "retry all", "repeat at last");
        better("TAGS", "tags: words", "training: and some more");
    }
}
