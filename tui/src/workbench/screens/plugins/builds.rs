//! The builds of one plug-in: when each was in force, a former one put back, and what two of them said of the same
//! captures, those that differ most first.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ferrule_core::{
    ids::{BuildHash, CaptureId, ImageId, PluginId},
    report::Outcome,
    store::BuildRow,
    swap::short,
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
    widgets::Paragraph,
};

use super::super::{Look, chosen, middle, pane};
use crate::workbench::{
    comparison::{BuildComparison, Compare},
    plain::{clean, cut, fit},
    text,
    theme::Theme,
};

/// Columns of the builds: mark, version, build, inspections; then when it was in force.
const VERSION: usize = 10;
const BUILD: usize = 13;
const INSPECTIONS: usize = 12;
/// Lines of counts above the captures that differ.
const COUNTS: u16 = 7;

/// What is shown of them.
#[derive(Debug)]
pub struct Builds {
    pub plugin: PluginId,
    /// The build that the engine uses, if it is known.
    now: Option<BuildHash>,
    /// The newest first; `None` until they are read.
    rows: Option<Vec<BuildRow>>,
    cursor: usize,
    compared: Option<Compared>,
}

#[derive(Debug)]
struct Compared {
    number: u64,
    stop: Arc<AtomicBool>,
    state: Reading,
    cursor: usize,
}

#[derive(Debug)]
enum Reading {
    /// So many of so many, once that is known.
    On(Option<(u64, u64)>),
    Done(Box<BuildComparison>),
}

impl Compared {
    fn comparison(&self) -> Option<&BuildComparison> {
        match &self.state {
            Reading::On(_) => None,
            Reading::Done(comparison) => Some(comparison),
        }
    }
}

impl Builds {
    pub const fn new(plugin: PluginId, now: Option<BuildHash>) -> Self {
        Self { plugin, now, rows: None, cursor: 0, compared: None }
    }

    pub fn take(&mut self, plugin: &PluginId, mut rows: Vec<BuildRow>) {
        if *plugin == self.plugin {
            rows.reverse();
            self.cursor = self.cursor.min(rows.len().saturating_sub(1));
            self.rows = Some(rows);
        }
    }

    pub fn is_comparing(&self) -> bool {
        self.compared.is_some()
    }

    pub fn step(&mut self, by: isize) {
        let (cursor, count) = match &mut self.compared {
            Some(compared) => {
                let count = compared.comparison().map_or(0, |it| it.report.most.len());
                (&mut compared.cursor, count)
            }
            None => (&mut self.cursor, self.rows.as_ref().map_or(0, Vec::len)),
        };
        *cursor = cursor.saturating_add_signed(by).min(count.saturating_sub(1));
    }

    fn selected(&self) -> Option<&BuildRow> {
        self.rows.as_ref()?.get(self.cursor)
    }

    /// The build under the cursor, if it is not the one in force.
    pub fn to_put_back(&self) -> Option<BuildHash> {
        self.selected().map(|row| &row.build).filter(|build| Some(*build) != self.now.as_ref()).cloned()
    }

    /// The build under the cursor against the one in force; under the cursor being that one, against the one before it.
    pub fn compare(&mut self, images: Vec<ImageId>, number: u64) -> Option<Compare> {
        let rows = self.rows.as_ref()?;
        let now = self.now.clone().or_else(|| rows.first().map(|row| row.build.clone()))?;
        let chosen = self.selected()?.build.clone();
        let former =
            if chosen == now { rows.iter().map(|row| &row.build).find(|it| **it != now)?.clone() } else { chosen };
        let stop = Arc::new(AtomicBool::new(false));
        self.compared = Some(Compared { number, stop: Arc::clone(&stop), state: Reading::On(None), cursor: 0 });
        Some(Compare { number, plugin: self.plugin.clone(), builds: [former, now], images, stop })
    }

    /// The number of the comparison that is looked at.
    pub fn comparing(&self) -> Option<u64> {
        self.compared.as_ref().map(|compared| compared.number)
    }

    pub fn reads(&mut self, done: u64, of: u64) {
        if let Some(compared) = &mut self.compared {
            compared.state = Reading::On(Some((done, of)));
        }
    }

    pub fn take_comparison(&mut self, comparison: Box<BuildComparison>) {
        if let Some(compared) = &mut self.compared {
            compared.state = Reading::Done(comparison);
        }
    }

    /// Whoever reads for it ends.
    pub fn end_comparison(&self) {
        if let Some(compared) = &self.compared {
            compared.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Back from the differences. Their number where they were still read; that ends.
    pub fn leave_comparison(&mut self) -> Option<u64> {
        self.end_comparison();
        let left = self.compared.take()?;
        matches!(left.state, Reading::On(_)).then_some(left.number)
    }

    /// The capture under the cursor of the differences.
    pub fn capture(&self) -> Option<CaptureId> {
        let compared = self.compared.as_ref()?;
        compared.comparison()?.captures.get(compared.cursor).copied().flatten()
    }

    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look) {
        match &self.compared {
            Some(compared) => draw_comparison(frame, body, look, compared),
            None => self.draw_builds(frame, body, look),
        }
    }

    fn draw_builds(&self, frame: &mut Frame, body: Rect, look: &Look) {
        let theme = look.theme;
        pane(frame, body, look, &text::builds_of(&self.plugin), text::BUILDS_NEWEST, theme.dim());
        let inner = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
        let rows = match &self.rows {
            None => return middle(frame, inner, text::READING, theme.dim()),
            Some(rows) if rows.is_empty() => return middle(frame, inner, text::NO_BUILDS, theme.dim()),
            Some(rows) => rows,
        };
        let ellipsis = theme.signs.ellipsis;
        let head = [("version", VERSION), ("build", BUILD), ("inspections", INSPECTIONS)];
        let words: String = head.iter().map(|(word, width)| format!("{} ", fit(word, *width, ellipsis))).collect();
        let mut lines = vec![Line::styled(format!("  {words}{}", text::IN_FORCE), theme.dim())];
        let room = usize::from(inner.height).saturating_sub(1).max(1);
        let top = (self.cursor + 1).saturating_sub(room);
        for (index, row) in rows.iter().enumerate().skip(top).take(room) {
            let line = self.line(row, usize::from(inner.width), look);
            lines.push(if index == self.cursor { chosen(line, theme) } else { line });
        }
        frame.render_widget(Paragraph::new(lines), inner);
    }

    fn line(&self, row: &BuildRow, width: usize, look: &Look) -> Line<'static> {
        let ellipsis = look.theme.signs.ellipsis;
        let in_force = self.now.as_ref() == Some(&row.build);
        let mark = if in_force { "*" } else { " " };
        let when = match row.in_force.as_slice() {
            [] => text::NEVER_IN_FORCE.to_owned(),
            [.., last] => {
                let until = last.until.as_deref().map_or_else(|| "now".to_owned(), |at| look.moment(at));
                let times = row.in_force.len();
                let more = if times > 1 { format!(", {times} times") } else { String::new() };
                format!("{} to {until}{more}", look.moment(&last.from))
            }
        };
        let words = format!(
            "{mark} {} {} {} {when}",
            fit(&clean(&row.version), VERSION, ellipsis),
            fit(short(&row.build), BUILD, ellipsis),
            fit(&row.inspections.to_string(), INSPECTIONS, ellipsis),
        );
        let style = if in_force { look.theme.good() } else { look.theme.text() };
        Line::styled(cut(&words, width, ellipsis), style)
    }
}

fn draw_comparison(frame: &mut Frame, body: Rect, look: &Look, compared: &Compared) {
    let theme = look.theme;
    let inner = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
    let comparison = match &compared.state {
        Reading::Done(comparison) => comparison,
        Reading::On(so_far) => {
            let so_far = so_far.map_or_else(|| text::READING.to_owned(), |(done, of)| text::read_of(done, of));
            pane(frame, body, look, text::DIFFERENCES, "", theme.dim());
            return middle(frame, inner, &so_far, theme.dim());
        }
    };
    let report = &comparison.report;
    let aside = text::captures_differ(report.differing, report.pictures);
    pane(frame, body, look, &format!("{} / {}", report.a.name, report.b.name), &aside, theme.dim());
    if report.pictures == 0 {
        return middle(frame, inner, text::NOTHING_COMPARED, theme.dim());
    }
    let [counts, list] = Layout::vertical([Constraint::Length(COUNTS), Constraint::Min(2)]).areas(inner);
    frame.render_widget(Paragraph::new(counted(comparison, usize::from(inner.width), theme)), counts);
    if report.most.is_empty() {
        return middle(frame, list, text::NO_DIFFERENCES, theme.good());
    }
    let ellipsis = theme.signs.ellipsis;
    let figures = 44;
    let name = usize::from(list.width).saturating_sub(figures).max(12);
    let head = format!("{} {:>5} {:>5} {:>7}  verdict", fit("capture", name, ellipsis), "new", "gone", "changed");
    let mut lines = vec![Line::styled(head, theme.dim())];
    let room = usize::from(list.height).saturating_sub(1).max(1);
    let top = (compared.cursor + 1).saturating_sub(room);
    for (index, it) in report.most.iter().enumerate().skip(top).take(room) {
        let verdict = if it.verdict[0] == it.verdict[1] {
            it.verdict[0].to_string()
        } else {
            format!("{} {} {}", it.verdict[0], theme.signs.cursor, it.verdict[1])
        };
        let file = fit(&clean(&it.file), name, ellipsis);
        let line = Line::raw(format!("{file} {:>5} {:>5} {:>7}  {verdict}", it.new, it.gone, it.changed));
        lines.push(if index == compared.cursor { chosen(line, theme) } else { line });
    }
    frame.render_widget(Paragraph::new(lines), list);
}

/// Counts of all captures: defects, types that changed most, verdicts.
fn counted(comparison: &BuildComparison, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let report = &comparison.report;
    let d = &report.defects;
    let mut lines = vec![Line::raw(format!(
        "defects   {} before, {} now: {} new, {} gone, {} changed, {} the same",
        d.a, d.b, d.new, d.gone, d.changed, d.same
    ))];
    let by_type = report.by_type.iter().filter(|it| it.counts.new + it.counts.gone + it.counts.changed > 0);
    let types: Vec<String> = by_type
        .map(|it| format!("{} +{} -{} ~{}", it.kind, it.counts.new, it.counts.gone, it.counts.changed))
        .collect();
    if !types.is_empty() {
        lines.push(Line::raw(format!("by type   {}", types.join(", "))));
    }
    let moved = |outcome: &[Outcome; 2]| outcome[0] != outcome[1];
    let verdicts: Vec<String> = report
        .verdict
        .iter()
        .filter(|it| moved(&[it.a, it.b]))
        .map(|it| format!("{} from {} to {}", it.pictures, it.a, it.b))
        .collect();
    let verdicts = if verdicts.is_empty() { text::ALL_THE_SAME.to_owned() } else { verdicts.join(", ") };
    lines.push(Line::raw(format!("verdicts  {verdicts}")));
    let (a, b) = (report.ms.a.total(), report.ms.b.total());
    lines.push(Line::raw(format!("time      {a:.1} ms before, {b:.1} ms now")));
    let remarks = report.remarks.iter().chain(&comparison.remark);
    lines.extend(remarks.map(|remark| Line::styled(clean(remark), theme.dim())));
    let ellipsis = theme.signs.ellipsis;
    lines.truncate(usize::from(COUNTS) - 1);
    lines.into_iter().map(|line| Line::styled(cut(&line.to_string(), width, ellipsis), line.style)).collect()
}
