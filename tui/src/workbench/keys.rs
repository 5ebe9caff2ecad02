//! Keys and what they do. Each screen has one list of [`Binding`]s; what a key does, the bottom line and the help are all
//! read from the lists in force, so they cannot disagree.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

mod action;

pub use self::action::{Action, JobAction, PluginAction, TrainAction};
use super::{keymap::Layer, screens::ScreenName};

/// A key with its modifiers, shift aside where the character already tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Key {
    pub const fn plain(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    pub const fn char(character: char) -> Self {
        Self::plain(KeyCode::Char(character))
    }

    pub const fn ctrl(character: char) -> Self {
        Self { code: KeyCode::Char(character), modifiers: KeyModifiers::CONTROL }
    }

    /// The key that was pressed; `None` for a release.
    pub fn pressed(event: KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let mut modifiers = event.modifiers;
        if matches!(event.code, KeyCode::Char(_) | KeyCode::BackTab) {
            modifiers.remove(KeyModifiers::SHIFT);
        }
        Some(Self { code: event.code, modifiers })
    }

    /// The key that a person writes as it is shown: `q`, `Ctrl-q`, `Space`, `F5`, `Shift-Tab`.
    pub fn parse(text: &str) -> Option<Self> {
        let (ctrl, name) = match text.strip_prefix("Ctrl-").or_else(|| text.strip_prefix("ctrl-")) {
            Some(name) => (true, name),
            None => (false, text),
        };
        let mut letters = name.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(letter), None) if !letter.is_control() => {
                KeyCode::Char(if ctrl { letter.to_ascii_lowercase() } else { letter })
            }
            _ => match name.to_ascii_lowercase().as_str() {
                "space" => KeyCode::Char(' '),
                "up" => KeyCode::Up,
                "down" => KeyCode::Down,
                "left" => KeyCode::Left,
                "right" => KeyCode::Right,
                "pgup" | "pageup" => KeyCode::PageUp,
                "pgdn" | "pagedown" => KeyCode::PageDown,
                "home" => KeyCode::Home,
                "end" => KeyCode::End,
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "tab" => KeyCode::Tab,
                "shift-tab" => KeyCode::BackTab,
                "backspace" => KeyCode::Backspace,
                "delete" => KeyCode::Delete,
                "insert" => KeyCode::Insert,
                function => {
                    let number = function.strip_prefix('f')?.parse().ok().filter(|number| (1..=12).contains(number))?;
                    KeyCode::F(number)
                }
            },
        };
        let modifiers = if ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
        Some(Self { code, modifiers })
    }

    pub fn code(self) -> KeyCode {
        self.code
    }

    /// The character that this key types, if it types one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(character) if self.modifiers.is_empty() => Some(character),
            _ => None,
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("Ctrl-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(character) if self.modifiers.contains(KeyModifiers::CONTROL) => {
                write!(f, "{}", character.to_ascii_uppercase())
            }
            KeyCode::Char(character) => write!(f, "{character}"),
            KeyCode::Up => f.write_str("Up"),
            KeyCode::Down => f.write_str("Down"),
            KeyCode::Left => f.write_str("Left"),
            KeyCode::Right => f.write_str("Right"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::Home => f.write_str("Home"),
            KeyCode::End => f.write_str("End"),
            KeyCode::Enter => f.write_str("Enter"),
            KeyCode::Esc => f.write_str("Esc"),
            KeyCode::Tab => f.write_str("Tab"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::Backspace => f.write_str("Backspace"),
            KeyCode::F(number) => write!(f, "F{number}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// One line of a screen's list of keys.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// The first is the one shown in the bottom line.
    pub keys: &'static [Key],
    pub action: Action,
    /// Shown in the bottom line, which has room for a few.
    pub in_bar: bool,
}

/// Shown in the bottom line and in the help.
pub const fn shown(keys: &'static [Key], action: Action) -> Binding {
    Binding { keys, action, in_bar: true }
}

/// Shown in the help only.
pub const fn hidden(keys: &'static [Key], action: Action) -> Binding {
    Binding { keys, action, in_bar: false }
}

/// A titled list of keys.
#[derive(Debug, Clone, Copy)]
pub struct Bindings {
    pub title: &'static str,
    pub list: &'static [Binding],
}

/// What this key does: the first list that knows it decides.
pub fn action(layers: &[Layer], key: Key) -> Option<Action> {
    layers
        .iter()
        .flat_map(|layer| &layer.list)
        .find(|binding| binding.keys.contains(&key))
        .map(|binding| binding.action)
}

pub const UP: &[Key] = &[Key::plain(KeyCode::Up), Key::char('k')];
pub const DOWN: &[Key] = &[Key::plain(KeyCode::Down), Key::char('j')];
pub const PAGE_UP: &[Key] = &[Key::plain(KeyCode::PageUp), Key::ctrl('b')];
pub const PAGE_DOWN: &[Key] = &[Key::plain(KeyCode::PageDown), Key::ctrl('f'), Key::char(' ')];
pub const FIRST: &[Key] = &[Key::plain(KeyCode::Home), Key::char('g')];
pub const LAST: &[Key] = &[Key::plain(KeyCode::End), Key::char('G')];
pub const ENTER: &[Key] = &[Key::plain(KeyCode::Enter)];
pub const BACK: &[Key] = &[Key::plain(KeyCode::Esc), Key::plain(KeyCode::Backspace)];

/// Keys that work on every screen.
pub const GLOBAL: Bindings = Bindings {
    title: super::text::EVERYWHERE,
    list: &[
        shown(&[Key::char('?'), Key::plain(KeyCode::F(1))], Action::Help),
        shown(&[Key::char(':'), Key::ctrl('p')], Action::Palette),
        shown(&[Key::char('q'), Key::ctrl('c')], Action::Quit),
        hidden(&[Key::char('1')], Action::Go(ScreenName::Live)),
        hidden(&[Key::char('2')], Action::Go(ScreenName::Captures)),
        hidden(&[Key::char('3')], Action::Go(ScreenName::Review)),
        hidden(&[Key::char('4')], Action::Go(ScreenName::Plugins)),
        hidden(&[Key::char('5')], Action::Go(ScreenName::Training)),
        hidden(&[Key::char('6')], Action::Go(ScreenName::Dataset)),
        hidden(&[Key::char('7')], Action::Go(ScreenName::Log)),
        hidden(&[Key::plain(KeyCode::Tab)], Action::NextScreen),
        hidden(&[Key::plain(KeyCode::BackTab)], Action::PreviousScreen),
        hidden(&[Key::ctrl('t')], Action::Tasks),
        hidden(&[Key::char('A')], Action::Alarms),
        hidden(&[Key::char('M')], Action::Mouse),
        hidden(&[Key::char('P')], Action::Pause),
        hidden(&[Key::char('S')], Action::Rescan),
        hidden(&[Key::char('E')], Action::StartEngine),
        hidden(&[Key::ctrl('l')], Action::Repaint),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys of the help.
pub const HELP: Bindings = Bindings {
    title: super::text::HELP_TITLE,
    list: &[
        shown(&[Key::plain(KeyCode::Esc), Key::char('?'), Key::char('q'), Key::plain(KeyCode::Enter)], Action::Back),
        hidden(UP, Action::Up),
        hidden(DOWN, Action::Down),
        hidden(PAGE_UP, Action::PageUp),
        hidden(PAGE_DOWN, Action::PageDown),
        hidden(&[Key::ctrl('c')], Action::Quit),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys of the question on leaving.
pub const QUIT: Bindings = Bindings {
    title: super::text::QUIT_TITLE,
    list: &[
        shown(&[Key::char('l'), Key::char('q'), Key::plain(KeyCode::Enter), Key::ctrl('c')], Action::LeaveRunning),
        shown(&[Key::char('s')], Action::StopEngine),
        shown(&[Key::plain(KeyCode::Esc), Key::char('c'), Key::char('n')], Action::Cancel),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys while a line is typed; every other key goes into the text.
pub const SEARCH: Bindings = Bindings {
    title: super::text::SEARCH_TITLE,
    list: &[
        shown(ENTER, Action::SearchAccept),
        shown(&[Key::plain(KeyCode::Tab)], Action::Complete),
        shown(&[Key::plain(KeyCode::Esc), Key::ctrl('c')], Action::SearchCancel),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys of a question before something is done that cannot be undone by a key.
pub const CONFIRM: Bindings = Bindings {
    title: super::text::CONFIRM_TITLE,
    list: &[
        shown(&[Key::char('y'), Key::plain(KeyCode::Enter)], Action::Confirm),
        shown(&[Key::plain(KeyCode::Esc), Key::char('n'), Key::char('q'), Key::ctrl('c')], Action::Cancel),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys of the form of a new training; every other key goes into the field.
pub const TRAINING_FORM: Bindings = Bindings {
    title: super::text::TRAINING_NEW,
    list: &[
        shown(ENTER, Action::Train(TrainAction::Submit)),
        shown(&[Key::plain(KeyCode::Esc)], Action::Train(TrainAction::Close)),
        shown(&[Key::ctrl('r')], Action::Train(TrainAction::Default)),
        shown(&[Key::plain(KeyCode::Down), Key::plain(KeyCode::Tab)], Action::Down),
        hidden(&[Key::plain(KeyCode::Up), Key::plain(KeyCode::BackTab)], Action::Up),
        hidden(&[Key::plain(KeyCode::PageUp)], Action::PageUp),
        hidden(&[Key::plain(KeyCode::PageDown)], Action::PageDown),
        hidden(&[Key::plain(KeyCode::F(1))], Action::Help),
        hidden(&[Key::ctrl('c')], Action::Quit),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys while something is typed about a run; every other key goes into the text.
pub const NOTE: Bindings = Bindings {
    title: super::text::NOTE_TITLE,
    list: &[
        shown(ENTER, Action::Train(TrainAction::KeepNote)),
        shown(&[Key::plain(KeyCode::Esc), Key::ctrl('c')], Action::Train(TrainAction::CancelNote)),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys of the palette; every other key goes into its text.
pub const PALETTE: Bindings = Bindings {
    title: super::text::PALETTE_TITLE,
    list: &[
        shown(ENTER, Action::Run),
        shown(&[Key::plain(KeyCode::Esc), Key::ctrl('c')], Action::Back),
        hidden(&[Key::plain(KeyCode::Up), Key::plain(KeyCode::BackTab)], Action::Up),
        hidden(&[Key::plain(KeyCode::Down), Key::plain(KeyCode::Tab)], Action::Down),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys of the tasks.
pub const TASKS: Bindings = Bindings {
    title: super::text::TASKS_TITLE,
    list: &[
        shown(&[Key::char('x')], Action::CancelTask),
        shown(&[Key::plain(KeyCode::Esc), Key::char('q'), Key::ctrl('t'), Key::ctrl('c')], Action::Back),
        hidden(UP, Action::Up),
        hidden(DOWN, Action::Down),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys of the alarms.
pub const ALARMS: Bindings = Bindings {
    title: super::text::ALARMS_TITLE,
    list: &[
        shown(ENTER, Action::Acknowledge),
        shown(&[Key::char('a')], Action::AcknowledgeAll),
        shown(&[Key::plain(KeyCode::Esc), Key::char('q'), Key::char('A'), Key::ctrl('c')], Action::Back),
        hidden(UP, Action::Up),
        hidden(DOWN, Action::Down),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys of a plug-in's parameters; every other key goes into the field.
pub const PARAMETERS: Bindings = Bindings {
    title: super::text::PARAMETERS_TITLE,
    list: &[
        shown(ENTER, Action::Plugin(PluginAction::Apply)),
        shown(&[Key::plain(KeyCode::Esc)], Action::Plugin(PluginAction::Close)),
        shown(&[Key::ctrl('r')], Action::Plugin(PluginAction::Default)),
        hidden(&[Key::ctrl('o')], Action::Zoom),
        shown(&[Key::plain(KeyCode::Down), Key::plain(KeyCode::Tab)], Action::Down),
        hidden(&[Key::plain(KeyCode::Up), Key::plain(KeyCode::BackTab)], Action::Up),
        hidden(&[Key::plain(KeyCode::PageUp)], Action::PageUp),
        hidden(&[Key::plain(KeyCode::PageDown)], Action::PageDown),
        hidden(&[Key::plain(KeyCode::F(1))], Action::Help),
        hidden(&[Key::ctrl('c')], Action::Quit),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys where there is no workspace yet.
pub const WELCOME: Bindings = Bindings {
    title: super::text::WELCOME_TITLE,
    list: &[
        shown(ENTER, Action::Open),
        shown(DOWN, Action::Down),
        hidden(UP, Action::Up),
        shown(&[Key::char('q'), Key::plain(KeyCode::Esc), Key::ctrl('c')], Action::Quit),
    ],
};

/// Keys while the folder to watch is typed.
pub const FOLDER: Bindings = Bindings {
    title: super::text::WELCOME_TITLE,
    list: &[
        shown(ENTER, Action::Open),
        shown(&[Key::plain(KeyCode::Tab)], Action::Complete),
        shown(&[Key::plain(KeyCode::Esc), Key::ctrl('c')], Action::Back),
    ],
};

/// Keys of a list to choose from.
pub const MENU: Bindings = Bindings {
    title: super::text::MENU_TITLE,
    list: &[
        shown(&[Key::plain(KeyCode::Enter), Key::char(' ')], Action::Choose),
        shown(&[Key::char('d'), Key::plain(KeyCode::Delete)], Action::ForgetView),
        shown(
            &[Key::plain(KeyCode::Esc), Key::char('q'), Key::char('c'), Key::char('v'), Key::ctrl('c')],
            Action::CloseMenu,
        ),
        hidden(UP, Action::Up),
        hidden(DOWN, Action::Down),
        hidden(FIRST, Action::First),
        hidden(LAST, Action::Last),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};
