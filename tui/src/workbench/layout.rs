//! Where things are on a screen of a given size. Pure: drawing and the wish for a picture of the right size both ask here.

use ratatui::layout::{Constraint, Layout, Rect, Size};

/// Below this nothing is readable.
pub const SMALLEST: (u16, u16) = (60, 16);

/// The parts of every screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    pub header: Rect,
    pub body: Rect,
    pub keys: Rect,
}

/// `None` where the terminal is too small.
pub fn parts(size: Size) -> Option<Parts> {
    if size.width < SMALLEST.0 || size.height < SMALLEST.1 {
        return None;
    }
    let area = Rect::new(0, 0, size.width, size.height);
    let [header, body, keys] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)]).areas(area);
    Some(Parts { header, body, keys })
}

/// The four panes of the Live screen, each with a title line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveParts {
    pub picture: Rect,
    pub facts: Rect,
    pub recent: Rect,
    pub engine: Rect,
}

pub fn live(body: Rect) -> LiveParts {
    // The engine's figures take eight lines and a title; a large screen gives the rest to the picture.
    let below = if body.height < 20 { 7 } else { (body.height / 4).clamp(9, 16) };
    let [above, below] = Layout::vertical([Constraint::Min(1), Constraint::Length(below)]).areas(body);
    let left = picture_width(above);
    let split = |area| Layout::horizontal([Constraint::Length(left), Constraint::Min(1)]).areas(area);
    let ([picture, facts], [recent, engine]) = (split(above), split(below));
    LiveParts { picture, facts, recent, engine }
}

/// Whether the Live screen has room for charts beside everything else.
pub fn live_has_room(body: Rect) -> bool {
    let facts = live(body).facts;
    facts.height >= 30 && facts.width >= 50
}

/// The result, and charts below it.
pub fn live_charts(facts: Rect) -> (Rect, Rect) {
    let [facts, charts] = Layout::vertical([Constraint::Min(1), Constraint::Length(20)]).areas(facts);
    (facts, charts)
}

/// The panes of one capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetailParts {
    pub picture: Rect,
    pub facts: Rect,
}

pub fn detail(body: Rect) -> DetailParts {
    let [picture, facts] =
        Layout::horizontal([Constraint::Length(picture_width(body)), Constraint::Min(1)]).areas(body);
    DetailParts { picture, facts }
}

/// Two captures side by side, and a line about both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairParts {
    pub left: HalfParts,
    pub right: HalfParts,
    pub words: Rect,
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfParts {
    pub picture: Rect,
    pub facts: Rect,
}

pub fn pair(body: Rect) -> PairParts {
    let [both, words] = Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(body);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas::<2>(both);
    let facts = (both.height * 2 / 5).clamp(5, 16);
    let [left, right] = halves.map(|half| {
        let [picture, facts] = Layout::vertical([Constraint::Min(1), Constraint::Length(facts)]).areas(half);
        HalfParts { picture, facts }
    });
    PairParts { left, right, words }
}

/// The panes of the Training screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingParts {
    /// How the run that goes on stands; empty where none does.
    pub now: Rect,
    pub runs: Rect,
    /// Everything below the runs.
    pub lower: Rect,
    /// The lower part's curves, a second plot where there is room, and figures.
    pub curves: Rect,
    pub second: Option<Rect>,
    pub facts: Rect,
}

pub fn training(body: Rect, is_training: bool, runs: usize) -> TrainingParts {
    let now = if is_training { 3 } else { 0 };
    // Title and heads take two lines; the curves get what the list does not need.
    let list = u16::try_from(runs.max(1) + 2).unwrap_or(u16::MAX).clamp(4, (body.height / 3).max(4));
    let [now, runs, lower] =
        Layout::vertical([Constraint::Length(now), Constraint::Length(list), Constraint::Min(1)]).areas(body);
    let facts = (lower.width * 2 / 5).clamp(28, 44);
    let [plots, facts] = Layout::horizontal([Constraint::Min(1), Constraint::Length(facts)]).areas(lower);
    let (curves, second) = if lower.height >= 24 {
        let [curves, second] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(plots);
        (curves, Some(second))
    } else if plots.width >= 100 {
        let [curves, second] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(plots);
        (curves, Some(second))
    } else {
        (plots, None)
    };
    TrainingParts { now, runs, lower, curves, second, facts }
}

/// A form, and what it is about beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormParts {
    pub fields: Rect,
    pub beside: Rect,
}

pub fn form(body: Rect) -> FormParts {
    let beside = (body.width * 2 / 5).clamp(36, 60).min(body.width / 2);
    let [fields, beside] = Layout::horizontal([Constraint::Min(1), Constraint::Length(beside)]).areas(body);
    FormParts { fields, beside }
}

/// Beside a plug-in's parameters: the picture that they are tried on, and what comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialParts {
    pub picture: Rect,
    pub words: Rect,
}

pub fn trial(beside: Rect) -> TrialParts {
    let words = (beside.height / 2).min(12);
    let [picture, words] = Layout::vertical([Constraint::Min(1), Constraint::Length(words)]).areas(beside);
    TrialParts { picture, words }
}

/// The panes of the Dataset screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatasetParts {
    pub splits: Rect,
    pub exports: Rect,
    pub groups: Rect,
}

pub fn dataset(body: Rect) -> DatasetParts {
    // Beside each other where both are readable; the formats take a line each.
    if body.width >= 120 {
        let [above, groups] = Layout::vertical([Constraint::Length(11), Constraint::Min(1)]).areas(body);
        let [splits, exports] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(above);
        return DatasetParts { splits, exports, groups };
    }
    let [splits, exports, groups] =
        Layout::vertical([Constraint::Length(8), Constraint::Length(7), Constraint::Min(1)]).areas(body);
    DatasetParts { splits, exports, groups }
}

/// Room for a 4:3 picture of the area's height, cells being about twice as high as wide, within bounds that leave
/// the figures beside it readable.
fn picture_width(area: Rect) -> u16 {
    let wish = u32::from(area.height.saturating_sub(1)) * 8 / 3;
    let (least, most) = (area.width * 45 / 100, area.width.saturating_sub(42).max(area.width * 45 / 100));
    (wish as u16).clamp(least, most)
}

/// A pane without its title line, and without the column that keeps it off its neighbour.
pub fn inner(pane: Rect) -> Rect {
    Rect { y: pane.y + 1, height: pane.height.saturating_sub(1), width: pane.width.saturating_sub(1), ..pane }
}

/// A box in the middle of the area, no larger than it.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_stay_inside_any_terminal_and_never_overlap() {
        for width in (SMALLEST.0..320).step_by(7) {
            for height in SMALLEST.1..110 {
                let parts = parts(Size::new(width, height)).expect("large enough");
                let live = live(parts.body);
                let panes = [live.picture, live.facts, live.recent, live.engine];
                for (index, pane) in panes.iter().enumerate() {
                    assert!(parts.body.union(*pane) == parts.body && pane.width > 8 && pane.height > 1, "{pane:?}");
                    assert!(panes[index + 1..].iter().all(|other| !pane.intersects(*other)), "{width}x{height}");
                }
                assert!(live.facts.width >= 33, "{width}x{height}: {live:?}");
            }
        }
    }
}
