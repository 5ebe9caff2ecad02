//! What a person does on the Review screen: each decision is one request to the engine, made only while one answers.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ferrule_core::{
    dataset::review::{Decision, Review},
    protocol::Request,
};

use super::{App, Engine};
use crate::workbench::{
    event::{Command, Effects},
    keys::Action,
    layout,
    picture::pixel_at,
    screens::ScreenName,
    text,
};

impl App {
    /// `None` for an action that belongs to no review.
    pub(super) fn review_action(&mut self, action: Action) -> Option<Effects> {
        let now = (self.setup.now)();
        let decides = matches!(
            action,
            Action::SayDefect
                | Action::SayClean
                | Action::AcceptDefect
                | Action::RejectDefect
                | Action::Kind(_)
                | Action::Undo
                | Action::Redo
        );
        // What cannot be stored is not decided either.
        if decides && self.engine != Engine::Connected {
            self.say(true, text::NO_ENGINE.to_owned());
            return Some(Effects::redraw());
        }
        let said = match action {
            Action::SayDefect => self.review.say(Decision::Defect, now),
            Action::SayClean => self.review.say(Decision::Clean, now),
            Action::AcceptDefect => self.review.say_of_defect(Decision::Confirmed, None, now),
            Action::RejectDefect => self.review.say_of_defect(Decision::Rejected, None, now),
            Action::Kind(index) => self.review.choose_kind(index, now),
            Action::Undo => self.review.undo(now),
            Action::Redo => self.review.redo(now),
            other => {
                self.review_moves(other)?;
                None
            }
        };
        Some(said.map_or_else(Effects::redraw, |review| self.store_review(review)))
    }

    /// What decides nothing.
    fn review_moves(&mut self, action: Action) -> Option<()> {
        match action {
            Action::Skip => self.review.skip(1),
            Action::SkipBack => self.review.skip(-1),
            Action::ChangeKind => self.review.change_kind(),
            Action::DrawBox => self.review.draw_box(None),
            Action::Corner => self.review.set_corner(),
            Action::BoxLeft => self.review.move_box(-1, 0, false),
            Action::BoxRight => self.review.move_box(1, 0, false),
            Action::BoxUp => self.review.move_box(0, -1, false),
            Action::BoxDown => self.review.move_box(0, 1, false),
            Action::BoxFineLeft => self.review.move_box(-1, 0, true),
            Action::BoxFineRight => self.review.move_box(1, 0, true),
            Action::BoxFineUp => self.review.move_box(0, -1, true),
            Action::BoxFineDown => self.review.move_box(0, 1, true),
            Action::CancelBox => self.review.cancel_box(),
            Action::NextQueue => self.review.next_queue(),
            Action::NameReviewer => self.review.rename(),
            _ => return None,
        }
        Some(())
    }

    fn store_review(&mut self, review: Review) -> Effects {
        Effects::command(Command::Ask(Request::Review { reviews: vec![review] }))
    }

    /// The Review screen is looked at, and nothing else is open on it.
    pub(super) fn on_review(&self) -> bool {
        self.screen == ScreenName::Review && self.open.is_none()
    }

    /// Whether the mouse is on the picture that is being reviewed.
    pub(super) fn review_has(&self, mouse: &MouseEvent) -> bool {
        let free = self.on_review() && self.dialog.is_none() && !self.review.is_naming();
        free && self.pixel_under((mouse.column, mouse.row)).is_some()
    }

    /// A box is drawn with the mouse: down, drag, up.
    pub(super) fn review_mouse(&mut self, mouse: MouseEvent) -> Effects {
        if !self.on_review() || self.dialog.is_some() || self.review.is_naming() {
            return Effects::none();
        }
        let Some(point) = self.pixel_under((mouse.column, mouse.row)) else { return Effects::none() };
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => self.review.draw_box(Some(point)),
            MouseEventKind::Drag(MouseButton::Left) => self.review.drag_box(point),
            MouseEventKind::Up(MouseButton::Left) => {
                self.review.drag_box(point);
                self.review.set_corner();
            }
            _ => return Effects::none(),
        }
        Effects::redraw()
    }

    /// The capture's pixel under the mouse.
    fn pixel_under(&self, cell: (u16, u16)) -> Option<(u32, u32)> {
        let pane = layout::inner(layout::detail(layout::parts(self.setup.size)?.body).picture);
        let detail = self.review.detail()?;
        let key = self.shown.key.filter(|key| key.capture == detail.row.capture)?;
        let picture = self.shown.picture.as_ref()?.as_ref().ok()?;
        pixel_at(picture, pane, &key, detail, cell)
    }
}
