//! The first minutes: started where there is no workspace, this offers to make one, asks which folder the microscope writes
//! into (Tab completes), or takes simulated captures to look around. It makes nothing itself: its answer is a wish.

mod folders;

use std::{
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use anyhow::Context;
use crossbeam_channel::bounded;
use crossterm::event::Event as Terminal;
use ratatui::{
    Frame,
    layout::{Rect, Size},
    text::{Line, Span},
    widgets::Paragraph,
};
use tui_input::Input as TypedLine;

pub use self::folders::{FoldersAnswer, FoldersRequest};
use super::{
    PATIENCE, TerminalFacts, chrome,
    event::{Event, Signal},
    figures,
    jobs::{answers::AnswerJob, input::Input, signals::SignalJob},
    keys::{self, Action, Key},
    layout,
    plain::{clean, cut},
    screens::chosen,
    terminal::Screen,
    text,
    theme::Theme,
    typing,
};

/// What a person wants made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A workspace here that watches this folder, as it was typed: absolute, or relative to the workspace.
    Watch(String),
    /// A workspace here, with simulated captures.
    Demo,
    Nothing,
}

/// Asks what is to be made in this folder.
///
/// # Errors
/// The terminal cannot be set up.
pub fn welcome(folder: &Path, terminal: &TerminalFacts) -> anyhow::Result<Wish> {
    let mut screen = Screen::take(false).context("the terminal cannot be set up")?;
    let (events, incoming) = bounded(64);
    let stdin = std::io::stdin();
    let input = Input::start(&stdin.as_fd(), events.clone())?;
    let signals = SignalJob::start(events.clone())?;
    let root = folder.to_owned();
    let folders = AnswerJob::start("folders", move |asked| Event::Folders(folders::answer(&root, asked)), events)?;
    let size = screen.size().context("the terminal does not tell its size")?;
    let mut state = Welcome::new(folder, Theme::new(terminal.colours, terminal.utf8), size);
    let wish = loop {
        if screen.draw_with(|frame| state.draw(frame), false).is_err() {
            break Wish::Nothing;
        }
        let Ok(event) = incoming.recv() else { break Wish::Nothing };
        match state.update(event) {
            Step::Stay => {}
            Step::Ask(request) => folders.ask(request),
            Step::End(wish) => break wish,
        }
    };
    screen.give_back();
    // Whoever waits to send an event wakes up and ends.
    drop(incoming);
    input.join(PATIENCE);
    folders.join(PATIENCE);
    signals.join(PATIENCE);
    Ok(wish)
}

/// What is asked now.
#[derive(Debug)]
enum Page {
    Choice(usize),
    Folder { line: TypedLine, found: Vec<String> },
}

/// What follows from an event.
#[derive(Debug, PartialEq)]
enum Step {
    Stay,
    Ask(FoldersRequest),
    End(Wish),
}

struct Welcome {
    folder: PathBuf,
    theme: Theme,
    size: Size,
    page: Page,
    wrong: Option<String>,
}

impl Welcome {
    fn new(folder: &Path, theme: Theme, size: Size) -> Self {
        Self { folder: folder.to_owned(), theme, size, page: Page::Choice(0), wrong: None }
    }

    fn update(&mut self, event: Event) -> Step {
        match event {
            Event::Input(Terminal::Key(event)) => Key::pressed(event).map_or(Step::Stay, |key| self.key(key)),
            Event::Input(Terminal::Paste(pasted)) => {
                if let Page::Folder { line, .. } = &mut self.page {
                    typing::paste(line, &pasted);
                }
                Step::Stay
            }
            Event::Input(Terminal::Resize(width, height)) => {
                self.size = Size::new(width, height);
                Step::Stay
            }
            Event::Folders(answer) => self.answered(answer),
            Event::Signal(Signal::End | Signal::Interrupt) | Event::TerminalLost => Step::End(Wish::Nothing),
            _ => Step::Stay,
        }
    }

    fn key(&mut self, key: Key) -> Step {
        self.wrong = None;
        let bindings = if matches!(self.page, Page::Choice(_)) { keys::WELCOME } else { keys::FOLDER };
        let action = keys::action(&[bindings.into()], key);
        match (&mut self.page, action) {
            (Page::Choice(at), Some(Action::Up)) => *at = at.saturating_sub(1),
            (Page::Choice(at), Some(Action::Down)) => *at = (*at + 1).min(text::WELCOME_CHOICES.len() - 1),
            (Page::Choice(0), Some(Action::Open)) => {
                self.page = Page::Folder { line: TypedLine::new("captures".into()), found: Vec::new() };
            }
            (Page::Choice(1), Some(Action::Open)) => return Step::End(Wish::Demo),
            (Page::Choice(_), Some(Action::Open | Action::Quit)) => return Step::End(Wish::Nothing),
            (Page::Folder { .. }, Some(Action::Back)) => self.page = Page::Choice(0),
            (Page::Folder { line, .. }, Some(Action::Complete)) => {
                return Step::Ask(FoldersRequest::Complete(line.value().to_owned()));
            }
            (Page::Folder { line, .. }, Some(Action::Open)) => {
                return Step::Ask(FoldersRequest::Check(line.value().trim().to_owned()));
            }
            (Page::Folder { line, found }, None) => {
                typing::edit(line, key);
                found.clear();
            }
            _ => {}
        }
        Step::Stay
    }

    fn answered(&mut self, answer: FoldersAnswer) -> Step {
        let Page::Folder { line, found } = &mut self.page else { return Step::Stay };
        match answer {
            // What was typed meanwhile stays.
            FoldersAnswer::Completed { typed, to, among } if typed == line.value() => {
                *line = TypedLine::new(to);
                *found = among;
            }
            FoldersAnswer::Fits(typed) if typed == line.value().trim() => return Step::End(Wish::Watch(typed)),
            FoldersAnswer::Wrong(reason) => self.wrong = Some(clean(&reason)),
            FoldersAnswer::Completed { .. } | FoldersAnswer::Fits(_) => {}
        }
        Step::Stay
    }

    fn draw(&self, frame: &mut Frame) {
        let Some(parts) = layout::parts(self.size) else { return chrome::too_small(frame, self.size) };
        let theme = &self.theme;
        let title = format!(" {} {} {}", text::PROGRAM, theme.signs.dot, text::WELCOME_TITLE);
        frame.render_widget(Line::styled(title, theme.title()), parts.header);
        let area = layout::centred(parts.body, 76, parts.body.height);
        let width = usize::from(area.width);
        let here = clean(&self.folder.to_string_lossy());
        let mut lines = vec![Line::raw("")];
        let say = |text: &str| figures::wrap(text, width).into_iter().map(Line::raw).collect::<Vec<_>>();
        lines.extend(say(&text::no_workspace(&here)));
        lines.push(Line::raw(""));
        let bindings = match &self.page {
            Page::Choice(at) => {
                for (place, (choice, why)) in text::WELCOME_CHOICES.into_iter().enumerate() {
                    let line = Line::raw(format!(" {choice}"));
                    lines.push(if place == *at { chosen(line, theme) } else { line });
                    lines.push(Line::styled(format!("   {}", cut(why, width - 3, theme.signs.ellipsis)), theme.dim()));
                }
                keys::WELCOME
            }
            Page::Folder { line, found } => {
                lines.extend(say(text::WELCOME_FOLDER));
                lines.push(Line::raw(""));
                let (typed, cursor) = typing::window(line, width.saturating_sub(3));
                let at = lines.len() as u16;
                lines.push(Line::from(vec![Span::styled("> ", theme.key()), Span::raw(typed)]));
                if at < area.height {
                    frame.set_cursor_position((area.x + 2 + cursor as u16, area.y + at));
                }
                let found = found.iter().map(|name| clean(name)).collect::<Vec<_>>().join("  ");
                lines.extend(figures::wrap(&found, width).into_iter().map(|line| Line::styled(line, theme.dim())));
                keys::FOLDER
            }
        };
        if let Some(wrong) = &self.wrong {
            let wrong = format!("{} {wrong}", theme.signs.warn);
            lines.push(Line::raw(""));
            lines.extend(figures::wrap(&wrong, width).into_iter().map(|line| Line::styled(line, theme.warn())));
        }
        frame.render_widget(Paragraph::new(lines), Rect { height: area.height, ..area });
        chrome::bar(frame, parts.keys, theme, &[bindings.into()], None);
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::workbench::theme::Colours;

    fn press(state: &mut Welcome, code: KeyCode) -> Step {
        state.update(Event::Input(Terminal::Key(KeyEvent::new(code, KeyModifiers::NONE))))
    }

    fn shown(state: &Welcome) -> String {
        let mut terminal = ratatui::Terminal::new(TestBackend::new(80, 24)).expect("a buffer");
        terminal.draw(|frame| state.draw(frame)).expect("a buffer");
        let buffer = terminal.backend().buffer();
        let line = |y| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned() + "\n";
        (0..24).map(line).collect()
    }

    fn welcome() -> Welcome {
        Welcome::new(Path::new("/home/lab/bench"), Theme::new(Colours::Sixteen, true), Size::new(80, 24))
    }

    #[test]
    fn a_folder_is_typed_completed_checked_and_wished_for() {
        let mut state = welcome();
        insta::assert_snapshot!("welcome_80x24", shown(&state));
        assert_eq!(press(&mut state, KeyCode::Enter), Step::Stay);
        for letter in "/mnt/sc".chars() {
            press(&mut state, KeyCode::Char(letter));
        }
        let typed = "captures/mnt/sc".to_owned();
        let asked = press(&mut state, KeyCode::Tab);
        assert_eq!(asked, Step::Ask(FoldersRequest::Complete(typed.clone())));
        let among = vec!["scope-1/".to_owned(), "scope-2/".to_owned()];
        state.update(Event::Folders(FoldersAnswer::Completed { typed, to: "/mnt/scope-".into(), among }));
        insta::assert_snapshot!("welcome_folder_80x24", shown(&state));
        press(&mut state, KeyCode::Char('3'));
        assert_eq!(press(&mut state, KeyCode::Enter), Step::Ask(FoldersRequest::Check("/mnt/scope-3".into())));
        state.update(Event::Folders(FoldersAnswer::Wrong("there is no such folder".into())));
        assert!(shown(&state).contains("! there is no such folder"));
        let fits = Event::Folders(FoldersAnswer::Fits("/mnt/scope-3".into()));
        assert_eq!(state.update(fits), Step::End(Wish::Watch("/mnt/scope-3".into())));
    }

    #[test]
    fn the_demo_is_one_key_further_and_leaving_makes_nothing() {
        let mut state = welcome();
        press(&mut state, KeyCode::Down);
        assert_eq!(press(&mut state, KeyCode::Enter), Step::End(Wish::Demo));
        assert_eq!(press(&mut welcome(), KeyCode::Char('q')), Step::End(Wish::Nothing));
        assert_eq!(welcome().update(Event::Signal(Signal::End)), Step::End(Wish::Nothing));
    }
}
