//! What a person does: keys, the wheel, signals from outside, and the actions that they stand for.

use crossterm::event::{Event as Terminal, MouseButton, MouseEventKind};
use ferrule_core::{protocol::Request, report::CaptureState};
use ratatui::layout::Size;

use super::{App, Confirm, Dialog, Engine};
use crate::workbench::{
    chrome,
    event::{Command, Effects, Exit, Signal},
    keys::{self, Action, Key},
    layout,
    palette::Palette,
    picture::View,
    rows::{Marking, Row},
    screens::ScreenName,
    tasks::TaskOf,
    text,
};

/// Captures named in one request: a line of the protocol is limited.
const A_LINE: usize = 10_000;

impl App {
    pub(super) fn input(&mut self, input: Terminal) -> Effects {
        match input {
            Terminal::Key(event) => {
                let Some(key) = Key::pressed(event) else { return Effects::none() };
                self.notice = None;
                if std::mem::take(&mut self.rows_failed) {
                    self.captures.reload();
                    self.live.forget();
                    self.training.reload();
                }
                match keys::action(&self.keys(), key) {
                    Some(action) => self.act(action),
                    None => {
                        if let Some(Dialog::Palette(palette)) = &mut self.dialog {
                            palette.key(key);
                        } else if self.dialog.is_none() && self.on_review() {
                            self.review.typed(key);
                        } else if self.dialog.is_none()
                            && !(self.on_training() && self.typed_for_training(key))
                            && !(self.on_plugins() && self.typed_for_plugins(key))
                        {
                            let now = self.now();
                            self.captures.typed(key, &now);
                        }
                        Effects::redraw()
                    }
                }
            }
            Terminal::Paste(pasted) => {
                if let Some(Dialog::Palette(palette)) = &mut self.dialog {
                    palette.paste(&pasted);
                } else if self.dialog.is_none() && self.on_review() {
                    self.review.pasted(&pasted);
                } else if self.dialog.is_none()
                    && !(self.on_training() && self.pasted_for_training(&pasted))
                    && !(self.on_plugins() && self.pasted_for_plugins(&pasted))
                {
                    let now = self.now();
                    self.captures.pasted(&pasted, &now);
                }
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
                MouseEventKind::Down(MouseButton::Left) if !self.review_has(&mouse) => {
                    self.clicked(mouse.column, mouse.row)
                }
                _ => self.review_mouse(mouse),
            },
            Terminal::FocusGained | Terminal::FocusLost => Effects::none(),
        }
    }

    pub(super) fn signal(&mut self, signal: Signal) -> Effects {
        match signal {
            Signal::End => Effects::command(Command::Quit(Exit::Signalled)),
            Signal::Interrupt => self.act(Action::Quit),
            Signal::Suspend => Effects::command(Command::Suspend),
            Signal::Continue => {
                self.epoch += 1;
                Effects { repaint: true, ..Effects::command(Command::Resume) }
            }
        }
    }

    fn act(&mut self, action: Action) -> Effects {
        if let Some(effects) = self.review_action(action) {
            return effects;
        }
        if let Some(effects) = self.look_action(action) {
            return effects;
        }
        match action {
            Action::Go(screen) => self.go(screen),
            Action::NextScreen => self.go(self.screen.next()),
            Action::PreviousScreen => self.go(self.screen.previous()),
            Action::Help => self.dialog = Some(Dialog::Help { top: 0 }),
            Action::Palette => self.dialog = Some(Dialog::Palette(Palette::over(&self.screen_keys()))),
            Action::Run => return self.run_chosen(),
            Action::Tasks => self.dialog = Some(Dialog::Tasks),
            Action::Alarms => self.dialog = Some(Dialog::Alarms { at: 0 }),
            Action::Acknowledge => return self.acknowledge(false),
            Action::AcknowledgeAll => return self.acknowledge(true),
            Action::CancelTask => self.cancel_task(),
            Action::Mouse => return self.toggle_mouse(),
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
            Action::SearchAccept if self.screen == ScreenName::Review => {
                if let Some(name) = self.review.accept_name() {
                    return Effects::command(Command::KeepReviewer(name));
                }
            }
            Action::SearchAccept => {
                let now = self.now();
                if let Some(view) = self.captures.accept_search(&now) {
                    return self.ask(Request::KeepView { view });
                }
            }
            Action::Complete => {
                let now = self.now();
                self.captures.complete(&now);
            }
            Action::Sort => self.captures.sort_next(),
            Action::SortReverse => self.captures.sort_reverse(),
            Action::Mark => self.captures.mark(),
            Action::MarkAll => self.captures.mark_all(Marking::Set),
            Action::MarkInvert => self.captures.mark_all(Marking::Invert),
            Action::MarkNone => self.captures.marks.clear(),
            Action::Views => self.captures.open_views(),
            Action::SaveView => self.captures.start_saving(),
            Action::Columns => self.captures.open_columns(),
            Action::Choose => {
                let now = self.now();
                if let Err(message) = self.captures.choose(&now) {
                    self.say(true, message);
                }
            }
            Action::CloseMenu => self.captures.close_menu(),
            Action::ForgetView => {
                if let Some(name) = self.captures.unwanted_view() {
                    return self.ask(Request::ForgetView { name });
                }
            }
            Action::SearchCancel => {
                self.captures.cancel_search();
                self.review.cancel_naming();
            }
            Action::ClearFilter => self.captures.clear(),
            Action::Retry => return self.retry(),
            Action::RetryAll => return self.ask(Request::Retry { captures: None }),
            Action::Reinspect => return self.reinspect(),
            Action::NextCapture => self.turn(1),
            Action::PreviousCapture => self.turn(-1),
            Action::Zoom => self.view = if self.view == View::Whole { View::Fibre } else { View::Whole },
            Action::Freeze => self.live.freeze(),
            Action::Charts => {
                if let Some(parts) = layout::parts(self.setup.size) {
                    self.live.toggle_charts(parts.body);
                }
            }
            Action::Closer => self.view = self.view.zoomed(true, self.middle()),
            Action::Farther => self.view = self.view.zoomed(false, self.middle()),
            Action::PanLeft => self.view = self.view.panned(-1, 0),
            Action::PanRight => self.view = self.view.panned(1, 0),
            Action::PanUp => self.view = self.view.panned(0, -1),
            Action::PanDown => self.view = self.view.panned(0, 1),
            Action::CopyPath => {
                if let Some(path) = self.looked_at().and_then(|detail| detail.source_file.clone()) {
                    self.say(false, text::COPIED.to_owned());
                    return Effects::command(Command::Copy(path));
                }
            }
            Action::MakeReference => return self.make_reference(),
            Action::Export => return self.export(),
            Action::CancelExport => {
                if !self.dataset.cancel() {
                    self.say(true, text::NO_EXPORT.to_owned());
                }
            }
            Action::Reread => self.dataset.outdated(),
            Action::Train(action) => return self.train(action),
            Action::Plugin(action) => return self.plugin(action),
            Action::Job(action) => return self.job(action),
            Action::Confirm => return self.confirmed(),
            Action::Release => return self.release(),
            Action::Level => self.log.next_level(),
            Action::Follow => self.log.follow(),
            // These are `look_action`'s.
            Action::Layers
            | Action::SavePicture
            | Action::OpenWith
            | Action::SaveCsv
            | Action::SaveJson
            | Action::NearPairs
            | Action::NextPair
            | Action::PreviousPair => {}
            // Decisions and boxes are `review_action`'s.
            Action::SayDefect
            | Action::SayClean
            | Action::Skip
            | Action::SkipBack
            | Action::AcceptDefect
            | Action::RejectDefect
            | Action::ChangeKind
            | Action::Kind(_)
            | Action::DrawBox
            | Action::Corner
            | Action::BoxLeft
            | Action::BoxRight
            | Action::BoxUp
            | Action::BoxDown
            | Action::BoxFineLeft
            | Action::BoxFineRight
            | Action::BoxFineUp
            | Action::BoxFineDown
            | Action::CancelBox
            | Action::Undo
            | Action::Redo
            | Action::NextQueue
            | Action::NameReviewer => {}
            Action::LeaveRunning => return Effects::command(Command::Quit(Exit::Left)),
            Action::StopEngine => return self.stop_engine(),
            // Where a workspace is still to be made.
            Action::Cancel => self.dialog = None,
        }
        Effects::redraw()
    }

    /// Does what is chosen in the palette, as if its key had been pressed.
    fn run_chosen(&mut self) -> Effects {
        let Some(Dialog::Palette(palette)) = &self.dialog else { return Effects::redraw() };
        let Some(action) = palette.action() else { return Effects::redraw() };
        self.dialog = None;
        self.act(action)
    }

    fn cancel_task(&mut self) {
        match self.tasks.selected() {
            Some(TaskOf::Export(_, format)) => {
                self.dataset.cancel_format(*format);
            }
            Some(TaskOf::Comparison(number, _)) => {
                let number = *number;
                self.plugins.end_comparison(number);
            }
            Some(TaskOf::List(_)) => self.cancel_list(),
            Some(TaskOf::Reference(_)) => self.cancel_reference(),
            Some(TaskOf::Training(_)) => self.dialog = Some(Dialog::Confirm(Confirm::StopTraining)),
            Some(TaskOf::Swap(_) | TaskOf::HandOver(_)) | None => self.say(true, text::NOT_CANCELLED.to_owned()),
        }
    }

    fn toggle_mouse(&mut self) -> Effects {
        self.setup.mouse = !self.setup.mouse;
        self.say(false, if self.setup.mouse { text::MOUSE_ON } else { text::MOUSE_OFF }.to_owned());
        Effects::command(Command::Mouse(self.setup.mouse))
    }

    /// The tab of a screen, clicked.
    fn clicked(&mut self, column: u16, row: u16) -> Effects {
        let Some(parts) = layout::parts(self.setup.size).filter(|_| self.dialog.is_none()) else {
            return Effects::none();
        };
        if row != parts.header.y {
            return Effects::none();
        }
        match chrome::tab_at(column, parts.header, &self.setup.theme, &self.engine_words().0) {
            Some(screen) => self.act(Action::Go(screen)),
            None => Effects::none(),
        }
    }

    fn on_training(&self) -> bool {
        self.screen == ScreenName::Training && self.open.is_none()
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

    pub(super) fn ask(&mut self, request: Request) -> Effects {
        if self.engine != Engine::Connected {
            self.say(true, text::NO_ENGINE.to_owned());
            return Effects::redraw();
        }
        Effects::command(Command::Ask(request))
    }

    /// The same for many, in lines that are short enough.
    fn ask_all(&mut self, requests: Vec<Request>) -> Effects {
        let mut effects = Effects::redraw();
        for request in requests {
            effects.merge(self.ask(request));
        }
        effects
    }

    /// What is done is done to all marked captures, not to the one under the cursor.
    fn acts_on_marks(&self) -> bool {
        self.open.is_none() && self.screen == ScreenName::Captures && !self.captures.marks.is_empty()
    }

    /// The capture that an action is about, with what is known of it.
    fn subject(&self) -> Option<Row> {
        match &self.open {
            None if self.screen == ScreenName::Review => self.review.detail().map(|detail| detail.row.clone()),
            Some(open) => open.detail().map(|detail| detail.row.clone()),
            None => self.captures.window.selected().cloned(),
        }
    }

    fn retry(&mut self) -> Effects {
        if self.acts_on_marks() {
            let failed = self.captures.marks.failed();
            if failed.is_empty() {
                self.say(true, text::NONE_FAILED.to_owned());
                return Effects::redraw();
            }
            let asked: Vec<_> =
                failed.chunks(A_LINE).map(|part| Request::Retry { captures: Some(part.to_vec()) }).collect();
            return self.ask_all(asked);
        }
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
        if self.acts_on_marks() {
            let images = self.captures.marks.images();
            let asked: Vec<_> =
                images.chunks(A_LINE).map(|part| Request::Reinspect { images: part.to_vec() }).collect();
            return self.ask_all(asked);
        }
        match self.subject() {
            Some(Row { image: Some(image), .. }) => self.ask(Request::Reinspect { images: vec![image] }),
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
}
