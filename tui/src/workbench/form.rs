//! A form: fields that are described as plug-ins describe their parameters, typed into, checked as they are typed, and read
//! as one. Knows nothing of what the values are for.

use std::collections::BTreeMap;

use crossterm::event::KeyCode;
use ferrule_core::{
    host::card::{ParameterCard, ParameterKind},
    worker::messages::ParameterValue,
};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};
use tui_input::Input;

use super::{
    figures,
    keys::Key,
    plain::{clean, cut, fit},
    theme::Theme,
    typing,
};

/// Columns of a field's name, and the room below the fields for what the chosen one means.
const NAME: usize = 15;
const HELP: u16 = 3;

/// One line of a form.
#[derive(Debug)]
pub struct Field {
    pub card: ParameterCard,
    line: Input,
    error: Option<String>,
    /// It says nothing for the other values that were chosen.
    idle: bool,
}

impl Field {
    /// A field that holds this value.
    pub fn new(card: ParameterCard, value: &ParameterValue) -> Self {
        let mut field = Self { card, line: Input::new(value.to_string()), error: None, idle: false };
        field.check();
        field
    }

    /// What stands in it.
    pub fn typed(&self) -> &str {
        self.line.value()
    }

    fn set(&mut self, text: String) {
        self.line = Input::new(text);
        self.check();
    }

    fn check(&mut self) {
        self.error = self.card.read(self.line.value()).err().map(|error| clean(&error));
    }

    /// What can be chosen, where it is a choice.
    fn options(&self) -> Vec<String> {
        match &self.card.kind {
            ParameterKind::Bool => vec!["yes".into(), "no".into()],
            ParameterKind::Choice { options } => options.clone(),
            _ => Vec::new(),
        }
    }
}

/// The fields and the one under the cursor.
#[derive(Debug, Default)]
pub struct Form {
    fields: Vec<Field>,
    cursor: usize,
    top: usize,
}

impl Form {
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields, cursor: 0, top: 0 }
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.card.name == name)
    }

    /// What each field's owner would choose.
    pub fn defaults(&self) -> BTreeMap<String, ParameterValue> {
        self.fields.iter().map(|field| (field.card.name.clone(), field.card.default.clone())).collect()
    }

    /// Puts a value into a field, as if it had been typed.
    #[cfg(test)]
    pub fn set(&mut self, name: &str, value: &ParameterValue) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.card.name == name) {
            field.set(value.to_string());
        }
    }

    /// Another default: a field that still holds the former one follows it.
    pub fn suggest(&mut self, name: &str, value: &ParameterValue) {
        let Some(field) = self.fields.iter_mut().find(|field| field.card.name == name) else { return };
        let follows = field.typed().trim() == field.card.default.to_string();
        field.card.default = value.clone();
        if follows && field.typed().trim() != value.to_string() {
            field.set(value.to_string());
        }
    }

    /// Marks fields that say nothing for what was chosen elsewhere; they are shown dimly and not read.
    pub fn idle(&mut self, is_idle: impl Fn(&str) -> bool) {
        for field in &mut self.fields {
            field.idle = is_idle(&field.card.name);
        }
    }

    /// Moves the cursor.
    pub fn step(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.fields.len().saturating_sub(1));
    }

    /// A key that is no binding: into the text, or to the next choice. Whether anything changed.
    pub fn key(&mut self, key: Key) -> bool {
        let Some(field) = self.fields.get_mut(self.cursor) else { return false };
        let options = field.options();
        if options.is_empty() {
            let edited = typing::edit(&mut field.line, key);
            field.check();
            return edited;
        }
        let by = match (key.code(), key.typed()) {
            (KeyCode::Right, _) | (_, Some(' ')) => 1,
            (KeyCode::Left, _) => options.len() - 1,
            // The first letter of a choice chooses it.
            (_, Some(letter)) => {
                let now = options.iter().position(|option| option == field.line.value()).unwrap_or(0);
                let after = (1..=options.len()).map(|by| (now + by) % options.len());
                let found = after.into_iter().find(|place| options[*place].starts_with(letter));
                let Some(found) = found else { return false };
                field.set(options[found].clone());
                return true;
            }
            _ => return false,
        };
        let now = options.iter().position(|option| option == field.line.value());
        let next = now.map_or(0, |now| (now + by) % options.len());
        field.set(options[next].clone());
        true
    }

    pub fn paste(&mut self, text: &str) {
        if let Some(field) = self.fields.get_mut(self.cursor).filter(|field| field.options().is_empty()) {
            typing::paste(&mut field.line, text);
            field.check();
        }
    }

    /// Back to the value that the field's owner would choose.
    pub fn reset(&mut self) {
        if let Some(field) = self.fields.get_mut(self.cursor) {
            field.set(field.card.default.to_string());
        }
    }

    /// Every field that says something, read; or the first that cannot be, with the cursor on it.
    pub fn values(&mut self) -> Result<Vec<(String, ParameterValue)>, String> {
        let mut values = Vec::with_capacity(self.fields.len());
        for (place, field) in self.fields.iter().enumerate().filter(|(_, field)| !field.idle) {
            match field.card.read(field.line.value()) {
                Ok(value) => values.push((field.card.name.clone(), value)),
                Err(error) => {
                    self.cursor = place;
                    return Err(clean(&error));
                }
            }
        }
        Ok(values)
    }

    /// What can be read now; what cannot is left out.
    pub fn readable(&self) -> Vec<(String, ParameterValue)> {
        let fields = self.fields.iter().filter(|field| !field.idle);
        fields.filter_map(|field| Some((field.card.name.clone(), field.card.read(field.typed()).ok()?))).collect()
    }

    /// The first thing that is wrong.
    pub fn error(&self) -> Option<&str> {
        self.fields.iter().filter(|field| !field.idle).find_map(|field| field.error.as_deref())
    }

    /// Keeps the cursor in view, for an area of that height.
    pub fn show(&mut self, height: u16) {
        let rows = usize::from(height.saturating_sub(HELP)).max(1);
        self.top = self.top.clamp((self.cursor + 1).saturating_sub(rows), self.cursor);
        self.top = self.top.min(self.fields.len().saturating_sub(rows));
    }

    /// The fields, and below them what the chosen one means or what is wrong with it.
    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: &Theme) {
        let rows = area.height.saturating_sub(HELP).max(1);
        let width = usize::from(area.width);
        let room = width.saturating_sub(NAME + 4);
        let shown = self.fields.iter().enumerate().skip(self.top).take(usize::from(rows));
        let mut lines = Vec::new();
        for (place, field) in shown {
            let chosen = place == self.cursor;
            lines.push(self.line(field, chosen, room, theme));
            if chosen && field.options().is_empty() {
                let (_, cursor) = typing::window(&field.line, room.min(field_room(field, room)));
                let x = area.x + (NAME + 4 + cursor).min(width.saturating_sub(1)) as u16;
                frame.set_cursor_position((x, area.y + (place - self.top) as u16));
            }
        }
        frame.render_widget(Paragraph::new(lines), Rect { height: rows.min(area.height), ..area });
        let below = Rect { y: area.y + rows, height: area.height.saturating_sub(rows), ..area };
        let Some(field) = self.fields.get(self.cursor) else { return };
        let place = format!("{} of {}  ", self.cursor + 1, self.fields.len());
        let help = match &field.error {
            Some(error) if !field.idle => (format!("{} {error}", theme.signs.warn), theme.warn()),
            _ => (format!("{place}{}{}", clean(&field.card.help), range(&field.card)), theme.dim()),
        };
        let lines: Vec<Line> = figures::wrap(&help.0, width.saturating_sub(1))
            .into_iter()
            .map(|line| Line::styled(line, help.1))
            .collect();
        let inner = Rect { y: below.y + 1, height: below.height.saturating_sub(1), ..below };
        frame.render_widget(Paragraph::new(lines), inner);
    }

    fn line(&self, field: &Field, chosen: bool, room: usize, theme: &Theme) -> Line<'static> {
        let ellipsis = theme.signs.ellipsis;
        let sign = if chosen { theme.signs.cursor } else { " " };
        // Not by colour alone: what differs from its default has a star, what is wrong the sign for that.
        let mark = match (&field.error, field.typed().trim() == field.card.default.to_string()) {
            (Some(_), _) if !field.idle => theme.signs.warn,
            (_, false) => "*",
            (_, true) => " ",
        };
        let style = match (field.idle, field.error.is_some()) {
            (true, _) => theme.dim(),
            (false, true) => theme.warn(),
            (false, false) => theme.text(),
        };
        let value = if field.options().is_empty() {
            let (text, _) = typing::window(&field.line, field_room(field, room));
            let unit = if field.card.unit.is_empty() { String::new() } else { format!(" {}", field.card.unit) };
            format!("{text}{unit}")
        } else {
            choices(field, room)
        };
        let name = fit(&field.card.name, NAME, ellipsis);
        let mut line = Line::from(vec![
            Span::styled(format!("{sign} "), theme.key()),
            Span::styled(name, if field.idle { theme.dim() } else { theme.title() }),
            Span::styled(format!("{mark} "), theme.warn()),
            Span::styled(cut(&value, room, ellipsis), style),
        ]);
        if chosen && !field.options().is_empty() {
            line = line.patch_style(theme.selected());
        }
        line
    }
}

/// All that can be chosen, the chosen one in brackets; where they do not fit, that one and how many there are.
fn choices(field: &Field, room: usize) -> String {
    let options = field.options();
    let all = options.iter().fold(String::new(), |all, option| {
        let on = option == field.typed();
        let option = if on { format!("[{option}] ") } else { format!(" {option}  ") };
        all + &option
    });
    if all.trim_end().chars().count() <= room {
        return all;
    }
    let place = options.iter().position(|option| option == field.typed()).map_or(0, |place| place + 1);
    format!("[{}] {place} of {}", field.typed(), options.len())
}

/// Columns for a field's text beside its unit.
fn field_room(field: &Field, room: usize) -> usize {
    room.saturating_sub(field.card.unit.len() + 1).max(4)
}

/// The range that a number may have, in words.
fn range(card: &ParameterCard) -> String {
    match &card.kind {
        ParameterKind::Integer { low, high: i64::MAX } => format!(" ({low} and more)"),
        ParameterKind::Integer { low, high } => format!(" ({low} to {high})"),
        ParameterKind::Real { low, high } => format!(" ({low} to {high})"),
        ParameterKind::Bool | ParameterKind::Choice { .. } | ParameterKind::Text => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        let card = |name: &str, kind, default| ParameterCard {
            name: name.into(),
            kind,
            default,
            unit: String::new(),
            help: String::new(),
        };
        let words = ParameterKind::Choice { options: vec!["adam".into(), "adamw".into(), "sgd".into()] };
        let epochs = card("epochs", ParameterKind::Integer { low: 1, high: 99 }, ParameterValue::Integer(20));
        let rule = card("rule", words, ParameterValue::Text("adam".into()));
        let flip = card("flip", ParameterKind::Bool, ParameterValue::Bool(true));
        Form::new([epochs, rule, flip].into_iter().map(|card| Field::new(card.clone(), &card.default)).collect())
    }

    #[test]
    fn a_wrong_value_is_told_at_once_and_the_cursor_goes_there_when_it_is_read() {
        let mut form = form();
        form.key(Key::char('0'));
        assert!(form.error().is_some_and(|error| error.contains("99")), "{:?}", form.error());
        form.step(2);
        assert!(form.values().is_err());
        assert_eq!(form.cursor, 0);
        form.reset();
        assert_eq!(form.error(), None);
        assert_eq!(form.values().map(|values| values[0].clone()), Ok(("epochs".into(), ParameterValue::Integer(20))));
    }

    #[test]
    fn choices_turn_with_arrows_space_and_letters() {
        let mut form = form();
        form.step(1);
        for (key, then) in [
            (Key::plain(KeyCode::Right), "adamw"),
            (Key::plain(KeyCode::Left), "adam"),
            (Key::plain(KeyCode::Left), "sgd"),
            (Key::char('a'), "adam"),
            (Key::char('a'), "adamw"),
            (Key::char(' '), "sgd"),
        ] {
            assert!(form.key(key));
            assert_eq!(form.field("rule").map(Field::typed), Some(then));
        }
        assert!(!form.key(Key::char('z')));
    }

    #[test]
    fn what_says_nothing_is_neither_read_nor_wrong() {
        let mut form = form();
        form.key(Key::char('x'));
        form.idle(|name| name == "epochs");
        assert_eq!(form.error(), None);
        assert_eq!(form.values().map(|values| values.len()), Ok(2));
    }
}
