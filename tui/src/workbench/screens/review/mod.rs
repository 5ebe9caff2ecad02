//! Review: one capture after the other, one key a decision about the image and about each of its defects.
//!
//! Decisions are made here and stored by the engine, at once; what the screen shows of them comes back from the database.

mod deeds;
mod draw;
mod drawing;

use std::{collections::HashSet, sync::Arc};

use crossterm::event::KeyCode;
use ferrule_core::{
    dataset::review::{Agreement, Decision, Review, ReviewedDefect},
    ids::CaptureId,
    report::DefectKind,
    store::ReviewQueue,
};
use jiff::Timestamp;

use self::{deeds::Deeds, drawing::Drawing};
use super::detail::Open;
use crate::workbench::{
    chrome::Prompt,
    keys::{self, Action, Binding, Bindings, Key, hidden, shown},
    line::Line,
    plain,
    rows::{Detail, RowsRequest},
    text,
};

pub const KEYS: Bindings = Bindings { title: text::screen(super::ScreenName::Review), list: LIST };

const LIST: &[Binding] = &[
    shown(&[Key::char('d')], Action::SayDefect),
    shown(&[Key::char('c')], Action::SayClean),
    shown(&[Key::char('n'), Key::plain(KeyCode::Right), Key::char(' ')], Action::Skip),
    shown(&[Key::char('p'), Key::plain(KeyCode::Left)], Action::SkipBack),
    shown(&[Key::char('y'), Key::plain(KeyCode::Enter)], Action::AcceptDefect),
    shown(&[Key::char('x')], Action::RejectDefect),
    shown(&[Key::char('t')], Action::ChangeKind),
    shown(&[Key::char('b')], Action::DrawBox),
    shown(&[Key::char('u')], Action::Undo),
    hidden(&[Key::char('U'), Key::ctrl('r')], Action::Redo),
    shown(&[Key::char('f')], Action::NextQueue),
    hidden(&[Key::char('N')], Action::NameReviewer),
    hidden(&[Key::char('z')], Action::Zoom),
    hidden(&[Key::char('+'), Key::char('=')], Action::Closer),
    hidden(&[Key::char('-')], Action::Farther),
    hidden(&[Key::char('H')], Action::PanLeft),
    hidden(&[Key::char('L')], Action::PanRight),
    hidden(&[Key::char('K')], Action::PanUp),
    hidden(&[Key::char('J')], Action::PanDown),
    hidden(&[Key::char('o')], Action::Layers),
    hidden(&[Key::char('i')], Action::Reinspect),
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
];

/// Keys while a box is drawn.
pub const DRAWING: Bindings = Bindings {
    title: text::DRAWING_TITLE,
    list: &[
        shown(keys::ENTER, Action::Corner),
        shown(&[Key::plain(KeyCode::Left)], Action::BoxLeft),
        hidden(&[Key::plain(KeyCode::Right)], Action::BoxRight),
        hidden(&[Key::plain(KeyCode::Up)], Action::BoxUp),
        hidden(&[Key::plain(KeyCode::Down)], Action::BoxDown),
        shown(&[Key::char('h')], Action::BoxFineLeft),
        hidden(&[Key::char('l')], Action::BoxFineRight),
        hidden(&[Key::char('k')], Action::BoxFineUp),
        hidden(&[Key::char('j')], Action::BoxFineDown),
        shown(&[Key::plain(KeyCode::Esc), Key::ctrl('c')], Action::CancelBox),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Keys while a type is chosen.
pub const KINDS: Bindings = Bindings {
    title: text::KINDS_TITLE,
    list: &[
        shown(&[Key::char('1')], Action::Kind(0)),
        shown(&[Key::char('2')], Action::Kind(1)),
        shown(&[Key::char('3')], Action::Kind(2)),
        shown(&[Key::char('4')], Action::Kind(3)),
        shown(&[Key::char('5')], Action::Kind(4)),
        shown(&[Key::char('6')], Action::Kind(5)),
        shown(&[Key::plain(KeyCode::Esc), Key::ctrl('c')], Action::CancelBox),
        hidden(&[Key::ctrl('z')], Action::Suspend),
    ],
};

/// Captures asked for at once.
const PORTION: usize = 200;

/// When fewer than these are left, more are asked for.
const MARGIN: usize = 20;

/// What a type is being chosen for.
#[derive(Debug, Clone, PartialEq)]
enum Choosing {
    /// The found defect under the cursor.
    Found,
    /// A box that was drawn.
    Drawn([u32; 4]),
}

/// What the Review screen holds.
#[derive(Debug)]
pub struct Reviewing {
    reviewer: Option<String>,
    naming: Option<Line>,
    queue: ReviewQueue,
    /// Told with every question, so that an answer to another queue is known.
    ticket: u64,
    items: Vec<CaptureId>,
    known: HashSet<CaptureId>,
    at: usize,
    asked: bool,
    /// The queue has no more.
    ended: bool,
    open: Option<Open>,
    /// The defect that keys are about.
    cursor: usize,
    choosing: Option<Choosing>,
    drawing: Option<Drawing>,
    deeds: Deeds,
    agreements: Vec<Agreement>,
    wants_agreements: bool,
}

impl Reviewing {
    /// `reviewer` is who was asked last time.
    pub fn new(reviewer: Option<String>) -> Self {
        Self {
            reviewer,
            naming: None,
            queue: ReviewQueue::All,
            ticket: 0,
            items: Vec::new(),
            known: HashSet::new(),
            at: 0,
            asked: false,
            ended: false,
            open: None,
            cursor: 0,
            choosing: None,
            drawing: None,
            deeds: Deeds::default(),
            agreements: Vec::new(),
            wants_agreements: true,
        }
    }

    /// The screen is looked at: whoever reviews has a name.
    pub fn enter(&mut self, user: Option<&str>) {
        if self.reviewer.is_none() && self.naming.is_none() {
            self.naming = Some(Line::new(user.unwrap_or_default().to_owned()));
        }
    }

    /// Who reviews, once that was said.
    pub fn reviewer(&self) -> Option<&str> {
        self.reviewer.as_deref()
    }

    /// Asks for the reviewer's name again.
    pub fn rename(&mut self) {
        self.naming = Some(Line::new(self.reviewer.clone().unwrap_or_default()));
    }

    /// The keys in force instead of the screen's, if any.
    pub fn inner_keys(&self) -> Option<Bindings> {
        match (&self.naming, &self.choosing, &self.drawing) {
            (Some(_), ..) => Some(keys::SEARCH),
            (None, Some(_), _) => Some(KINDS),
            (None, None, Some(_)) => Some(DRAWING),
            (None, None, None) => None,
        }
    }

    /// Whether a name is being typed.
    pub fn is_naming(&self) -> bool {
        self.naming.is_some()
    }

    pub fn typed(&mut self, key: Key) {
        if let Some(line) = &mut self.naming {
            line.typed(key);
        }
    }

    pub fn pasted(&mut self, pasted: &str) {
        if let Some(line) = &mut self.naming {
            line.pasted(pasted);
        }
    }

    pub fn prompt(&self) -> Option<Prompt> {
        Some(Prompt::of(text::REVIEWER, text::REVIEWER_HINT, self.naming.as_ref()?.shown()))
    }

    pub fn cancel_naming(&mut self) {
        self.naming = None;
    }

    /// The name that was typed is meant; it is to be kept for the next time.
    pub fn accept_name(&mut self) -> Option<String> {
        let name = self.naming.take()?.text().trim().to_owned();
        if name.is_empty() {
            return None;
        }
        if self.reviewer.as_ref() != Some(&name) {
            self.reviewer = Some(name.clone());
            self.begin_queue();
        }
        Some(name)
    }

    pub fn next_queue(&mut self) {
        let place = ReviewQueue::ALL.iter().position(|queue| *queue == self.queue).unwrap_or(0);
        self.queue = ReviewQueue::ALL[(place + 1) % ReviewQueue::ALL.len()];
        self.begin_queue();
    }

    fn begin_queue(&mut self) {
        self.ticket += 1;
        self.items.clear();
        self.known.clear();
        (self.at, self.asked, self.ended) = (0, false, false);
        self.show();
    }

    /// A capture was inspected: a queue that had ended may have more now.
    pub fn outdated(&mut self, capture: CaptureId) {
        self.ended = false;
        if let Some(open) = self.open.as_mut().filter(|open| open.capture == capture) {
            open.outdated();
        }
    }

    /// Decisions were stored, by whomever.
    pub fn stored(&mut self) {
        self.wants_agreements = true;
        if let Some(open) = &mut self.open {
            open.outdated();
        }
    }

    /// What to read for this screen.
    pub fn wanted(&mut self) -> Vec<RowsRequest> {
        let mut wanted = Vec::new();
        let Some(reviewer) = &self.reviewer else { return wanted };
        if !self.asked && !self.ended && self.items.len() - self.at.min(self.items.len()) < MARGIN {
            self.asked = true;
            let (ticket, queue, reviewer) = (self.ticket, self.queue, reviewer.clone());
            // Those in hand that were passed over are still in the queue.
            wanted.push(RowsRequest::Queue { ticket, queue, reviewer, limit: self.items.len() + PORTION });
        }
        if std::mem::take(&mut self.wants_agreements) {
            wanted.push(RowsRequest::Agreements);
        }
        wanted
    }

    /// The capture whose detail is to be read now.
    pub fn wanted_detail(&mut self) -> Option<CaptureId> {
        let open = self.open.as_mut()?;
        open.wanted().then_some(open.capture)
    }

    pub fn take_queue(&mut self, ticket: u64, captures: Vec<CaptureId>) {
        if ticket != self.ticket {
            return;
        }
        self.asked = false;
        let before = self.items.len();
        self.items.extend(captures.into_iter().filter(|capture| self.known.insert(*capture)));
        self.ended = self.items.len() == before;
        if self.at >= before {
            self.show();
        }
    }

    pub fn take_detail(&mut self, capture: CaptureId, detail: Option<Arc<Detail>>) {
        if let Some(open) = self.open.as_mut().filter(|open| open.capture == capture) {
            open.take(detail);
        }
    }

    pub fn take_agreements(&mut self, agreements: Vec<Agreement>) {
        self.agreements = agreements;
    }

    pub fn detail(&self) -> Option<&Arc<Detail>> {
        let open = self.open.as_ref()?;
        open.detail().filter(|detail| detail.row.capture == open.capture)
    }

    /// The box to draw into the picture.
    pub fn mark(&self) -> Option<[u32; 4]> {
        match (&self.choosing, &self.drawing) {
            (Some(Choosing::Drawn(bbox)), _) => Some(*bbox),
            (_, Some(drawing)) => Some(drawing.shown()),
            _ => None,
        }
    }

    /// Shows the capture that it is the turn of.
    fn show(&mut self) {
        (self.cursor, self.choosing, self.drawing) = (0, None, None);
        match (self.items.get(self.at), &mut self.open) {
            (Some(capture), Some(open)) => open.turn(*capture),
            (Some(capture), none) => *none = Some(Open::new(*capture)),
            (None, open) => *open = None,
        }
    }

    /// The next capture or the one before.
    pub fn skip(&mut self, by: isize) {
        let to = self.at.saturating_add_signed(by).min(self.items.len());
        if to != self.at {
            self.at = to;
            self.show();
        }
    }

    /// The defect before or after.
    pub fn step(&mut self, by: isize) {
        let count = self.detail().and_then(|detail| detail.inspection.as_ref()).map_or(0, |it| it.defects.len());
        self.cursor = self.cursor.saturating_add_signed(by).min(count.saturating_sub(1));
    }

    fn review(
        &self,
        decision: Decision,
        defect: Option<ReviewedDefect>,
        now: Timestamp,
    ) -> Option<(CaptureId, Review)> {
        let detail = self.detail()?;
        let (image, reviewer) = (detail.row.image?, self.reviewer.clone()?);
        // Without a time it would be left out where somebody else said the same.
        let at = Some(now.to_string());
        Some((detail.row.capture, Review { image, reviewer, at, decision, defect, note: None }))
    }

    fn add(&mut self, (capture, review): (CaptureId, Review)) -> Review {
        let said = self.detail().map(|detail| detail.reviews.clone()).unwrap_or_default();
        self.deeds.add(capture, review.clone(), &said);
        review
    }

    /// A decision about the image; the next capture follows.
    pub fn say(&mut self, decision: Decision, now: Timestamp) -> Option<Review> {
        let deed = self.review(decision, None, now)?;
        let review = self.add(deed);
        self.skip(1);
        Some(review)
    }

    /// A decision about the defect under the cursor; the next defect follows.
    pub fn say_of_defect(&mut self, decision: Decision, kind: Option<DefectKind>, now: Timestamp) -> Option<Review> {
        let found = self.detail()?.inspection.as_ref()?.defects.get(self.cursor)?;
        let defect = ReviewedDefect {
            defect_id: Some(found.id.clone()),
            kind: kind.unwrap_or(found.kind),
            bbox: found.bbox,
            mask: found.mask.clone(),
        };
        let deed = self.review(decision, Some(defect), now)?;
        let review = self.add(deed);
        self.step(1);
        Some(review)
    }

    /// Asks which type the defect under the cursor is of.
    pub fn change_kind(&mut self) {
        let there =
            self.detail().and_then(|detail| detail.inspection.as_ref()).is_some_and(|it| !it.defects.is_empty());
        if there {
            self.choosing = Some(Choosing::Found);
        }
    }

    /// A type was chosen, for a found defect or for a box that was drawn.
    pub fn choose_kind(&mut self, index: u8, now: Timestamp) -> Option<Review> {
        let kind = DefectKind::ALL.get(usize::from(index)).copied()?;
        match self.choosing.take()? {
            Choosing::Found => self.say_of_defect(Decision::Confirmed, Some(kind), now),
            Choosing::Drawn(bbox) => {
                self.drawing = None;
                let defect = ReviewedDefect { defect_id: None, kind, bbox, mask: Vec::new() };
                let deed = self.review(Decision::Missed, Some(defect), now)?;
                Some(self.add(deed))
            }
        }
    }

    fn picture_size(&self) -> Option<(u32, u32)> {
        let inspection = self.detail()?.inspection.as_ref()?;
        Some((inspection.width, inspection.height))
    }

    /// Begins a box, in the middle of the picture or where the mouse went down.
    pub fn draw_box(&mut self, at: Option<(u32, u32)>) {
        self.choosing = None;
        self.drawing = self.picture_size().map(|size| Drawing::new(size, at));
    }

    pub fn move_box(&mut self, x: i32, y: i32, fine: bool) {
        if let Some(drawing) = &mut self.drawing {
            drawing.step(x, y, fine);
        }
    }

    pub fn drag_box(&mut self, to: (u32, u32)) {
        if let Some(drawing) = &mut self.drawing {
            drawing.drag(to);
        }
    }

    /// Enter, or the mouse's button let go: a corner stands; after the second a type is asked for.
    pub fn set_corner(&mut self) {
        self.choosing = self.drawing.as_mut().and_then(Drawing::set_corner).map(Choosing::Drawn);
    }

    pub fn cancel_box(&mut self) {
        (self.choosing, self.drawing) = (None, None);
    }

    /// Takes the last decision back, and goes to where it was made.
    pub fn undo(&mut self, now: Timestamp) -> Option<Review> {
        let (capture, review) = self.deeds.undo()?;
        self.go(capture);
        Some(Review { at: Some(now.to_string()), ..review })
    }

    /// Makes the decision again that was taken back last.
    pub fn redo(&mut self, now: Timestamp) -> Option<Review> {
        let (capture, review) = self.deeds.redo()?;
        self.go(capture);
        if review.defect.is_none() {
            self.skip(1);
        }
        Some(Review { at: Some(now.to_string()), ..review })
    }

    fn go(&mut self, capture: CaptureId) {
        match self.items.iter().position(|item| *item == capture) {
            Some(at) => self.at = at,
            // Decided in another queue.
            None => {
                self.at = self.at.min(self.items.len());
                self.items.insert(self.at, capture);
                self.known.insert(capture);
            }
        }
        self.show();
    }
}

/// The last word of each reviewer about the image, the latest last.
fn words(reviews: &[Review]) -> Vec<(&str, Decision)> {
    let mut words: Vec<(&str, Decision)> = Vec::new();
    for review in reviews.iter().filter(|review| review.defect.is_none()) {
        words.retain(|(reviewer, _)| *reviewer != review.reviewer);
        words.push((&review.reviewer, review.decision));
    }
    words.retain(|(_, decision)| decision.label().is_some());
    words
}

/// The last word about a defect, whoever said it.
fn word_about<'r>(reviews: &'r [Review], id: &str) -> Option<&'r Review> {
    let about = |review: &&Review| review.defect.as_ref().and_then(|defect| defect.defect_id.as_deref()) == Some(id);
    reviews.iter().rev().find(about).filter(|review| review.decision.stance().is_some())
}

/// Drawn boxes and others that no inspection found, as they were said last.
fn not_found(detail: &Detail) -> Vec<&Review> {
    let found: HashSet<&str> =
        detail.inspection.iter().flat_map(|it| &it.defects).map(|defect| defect.id.as_str()).collect();
    let mut last: Vec<&Review> = Vec::new();
    for review in &detail.reviews {
        let Some(id) = review.defect.as_ref().and_then(|defect| defect.defect_id.as_deref()) else { continue };
        if !found.contains(id) {
            last.retain(|other| other.defect.as_ref().and_then(|defect| defect.defect_id.as_deref()) != Some(id));
            last.push(review);
        }
    }
    last.retain(|review| review.decision.stance() == Some(true));
    last
}

/// A name that a person can be shown.
fn shown_name(name: &str) -> String {
    plain::clean(name)
}
