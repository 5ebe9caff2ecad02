//! Jobs: what belongs together by job, port and side, whether it can be handed over, and of each end the capture that decides
//! beside the one before it. A mode of the Captures screen.

use ferrule_core::{
    ids::CaptureId,
    job::{End, HandOver, Job, Shot, Standing},
    report::Outcome,
};
use jiff::{Timestamp, tz::TimeZone};
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Look, chosen, middle, pair::Two, pane};
use crate::workbench::{
    keys::{self, Action, Binding, Bindings, JobAction, Key, hidden, shown},
    layout,
    plain::fit,
    text,
    theme::Theme,
};

/// Jobs that are listed; `ferrule jobs` lists more.
pub const MOST: usize = 200;

pub const KEYS: Bindings = Bindings { title: text::JOBS, list: LIST };

const LIST: &[Binding] = &[
    shown(keys::ENTER, Action::Job(JobAction::Open)),
    shown(&[Key::char('b')], Action::Job(JobAction::Before)),
    shown(&[Key::char('s')], Action::Job(JobAction::Beside)),
    shown(&[Key::char('e')], Action::Job(JobAction::HandOver)),
    shown(
        &[Key::plain(crossterm::event::KeyCode::Esc), Key::plain(crossterm::event::KeyCode::Backspace), Key::char('J')],
        Action::Job(JobAction::Back),
    ),
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
    hidden(keys::PAGE_UP, Action::PageUp),
    hidden(keys::PAGE_DOWN, Action::PageDown),
    hidden(keys::FIRST, Action::First),
    hidden(keys::LAST, Action::Last),
];

/// What the mode holds.
#[derive(Debug, Default)]
pub struct Jobs {
    open: bool,
    /// `None` until they were read.
    jobs: Option<Vec<Job>>,
    outdated: bool,
    cursor: usize,
    /// The job whose ends are shown, and the end under the cursor.
    inside: Option<usize>,
    /// The capture before the deciding one was opened.
    before: bool,
}

impl Jobs {
    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn show(&mut self) {
        self.open = true;
        self.outdated = true;
    }

    pub fn close(&mut self) {
        self.open = false;
        self.inside = None;
    }

    /// Captures or labels changed.
    pub fn outdated(&mut self) {
        self.outdated = true;
    }

    /// Whether they are to be read now.
    pub fn wanted(&mut self) -> bool {
        self.open && std::mem::take(&mut self.outdated)
    }

    /// They were read; the cursor stays on its job and its end.
    pub fn take(&mut self, jobs: Vec<Job>) {
        let name = self.selected().map(|job| job.name.clone());
        let end = self.end().map(|end| (end.port.clone(), end.side.clone()));
        let found = name.and_then(|name| jobs.iter().position(|job| job.name == name));
        self.cursor = found.unwrap_or(0);
        if self.inside.is_some() {
            self.inside = found.map(|place| {
                let same = |it: &End| end.as_ref().is_some_and(|(port, side)| (&it.port, &it.side) == (port, side));
                jobs[place].ends.iter().position(same).unwrap_or(0)
            });
        }
        self.jobs = Some(jobs);
    }

    /// The job under the cursor.
    pub fn selected(&self) -> Option<&Job> {
        self.jobs.as_ref()?.get(self.cursor)
    }

    /// The job whose ends are shown.
    pub fn inside(&self) -> Option<&Job> {
        self.inside.and_then(|_| self.selected())
    }

    fn end(&self) -> Option<&End> {
        self.selected()?.ends.get(self.inside?)
    }

    pub fn step(&mut self, by: isize) {
        let ends = self.selected().map_or(0, |job| job.ends.len());
        let count = self.jobs.as_ref().map_or(0, Vec::len);
        let (at, all) = match &mut self.inside {
            Some(end) => (end, ends),
            None => (&mut self.cursor, count),
        };
        *at = at.saturating_add_signed(by).min(all.saturating_sub(1));
    }

    /// Into the job; of an end that is shown, the capture to open.
    pub fn enter(&mut self) -> Option<CaptureId> {
        self.before = false;
        if self.inside.is_none() {
            self.inside = self.selected().map(|_| 0);
            return None;
        }
        self.end()?.latest().map(|shot| shot.capture)
    }

    /// The capture that the deciding one superseded.
    pub fn before(&mut self) -> Option<CaptureId> {
        let shot = self.end()?.before()?.capture;
        self.before = true;
        Some(shot)
    }

    /// Of every end of this job that was photographed again, what it looked like before beside what decides; that of the end
    /// under the cursor first.
    pub fn pairs(&self) -> Vec<Two> {
        let Some(job) = self.inside() else { return Vec::new() };
        let at = self.inside.unwrap_or(0);
        let ends = job.ends.iter().skip(at).chain(job.ends.iter().take(at));
        let two = |end: &End| {
            let (left, right) = (end.before()?.capture, end.latest()?.capture);
            Some(Two { left, right, words: text::before_and_after(&end.port, &end.side) })
        };
        let on_one = job.ends.get(at).is_some_and(|end| end.before().is_some());
        if on_one { ends.filter_map(two).collect() } else { Vec::new() }
    }

    /// While a capture is open: to the one before it, or back to the one that decides.
    pub fn turn(&mut self, older: bool) -> Option<CaptureId> {
        if older { self.before() } else { self.enter() }
    }

    /// Out of the job, or out of the mode.
    pub fn back(&mut self) {
        if self.inside.take().is_none() {
            self.close();
        }
    }

    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look) {
        let theme = look.theme;
        let inner = layout::inner(body);
        let (width, height) = (usize::from(inner.width), usize::from(inner.height));
        let Some(jobs) = &self.jobs else {
            pane(frame, body, look, text::JOBS, "", theme.dim());
            return middle(frame, inner, text::LOADING, theme.dim());
        };
        if let (Some(job), Some(at)) = (self.inside(), self.inside) {
            let (style, sign) = hand_over(job.hand_over, theme);
            let title = format!("{} {}", text::JOB, job.name);
            pane(frame, body, look, &title, &format!("{sign} {}", job.hand_over.as_str().to_uppercase()), style);
            let rows = scrolled(&job.ends, at, height.saturating_sub(1));
            let mut lines = vec![Line::styled(fit(&heads_of_ends(), width, theme.signs.ellipsis), theme.dim())];
            lines.extend(rows.map(|(place, end)| {
                let line = end_line(end, width, look.zone, theme);
                if place == at { chosen(line, theme) } else { line }
            }));
            return frame.render_widget(Paragraph::new(lines), inner);
        }
        pane(frame, body, look, text::JOBS, &text::jobs(jobs.len()), theme.dim());
        if jobs.is_empty() {
            return middle(frame, inner, text::NO_JOBS, theme.dim());
        }
        let mut lines = vec![Line::styled(fit(&heads_of_jobs(), width, theme.signs.ellipsis), theme.dim())];
        lines.extend(scrolled(jobs, self.cursor, height.saturating_sub(1)).map(|(place, job)| {
            let line = job_line(job, width, look.zone, theme);
            if place == self.cursor { chosen(line, theme) } else { line }
        }));
        frame.render_widget(Paragraph::new(lines), inner);
    }
}

/// As many as there are rows for, the one under the cursor among them, each with its place.
fn scrolled<T>(all: &[T], at: usize, rows: usize) -> impl Iterator<Item = (usize, &T)> {
    let top = (at + 1).saturating_sub(rows.max(1));
    all.iter().enumerate().skip(top).take(rows.max(1))
}

const NAME: usize = 20;

fn heads_of_jobs() -> String {
    format!("{:<NAME$}  {:<7} {:>5} {:>5} {:>5} {:>7}  last capture", "job", "", "ends", "pass", "fail", "missing")
}

fn job_line(job: &Job, width: usize, zone: &TimeZone, theme: &Theme) -> Line<'static> {
    let (style, sign) = hand_over(job.hand_over, theme);
    let counts = [job.ends.len(), job.count(Standing::Pass), job.count(Standing::Fail)];
    let [ends, pass, fail] = counts;
    let missing = job.count(Standing::Missing);
    let last = job.last().map_or_else(String::new, |shot| time(shot, zone));
    let rest = width.saturating_sub(NAME + 2 + 8);
    let tail = format!("{ends:>5} {pass:>5} {fail:>5} {missing:>7}  {last}");
    Line::from(vec![
        Span::raw(format!("{}  ", fit(&job.name, NAME, theme.signs.ellipsis))),
        Span::styled(format!("{:<7} ", format!("{sign} {}", job.hand_over)), style),
        Span::raw(fit(&tail, rest, theme.signs.ellipsis)),
    ])
}

fn heads_of_ends() -> String {
    format!("{:<8} {:<6} {:<15} {:<34} {}", "port", "side", "verdict", "decides", "before")
}

fn end_line(end: &End, width: usize, zone: &TimeZone, theme: &Theme) -> Line<'static> {
    let (style, sign) = standing(end.standing, theme);
    let ellipsis = theme.signs.ellipsis;
    let head = format!("{} {} ", fit(&end.port, 8, ellipsis), fit(&end.side, 6, ellipsis));
    let rest = width.saturating_sub(16 + 16);
    let (now, before) =
        if rest > 40 { (35.min(rest * 2 / 3), rest - 35.min(rest * 2 / 3)) } else { (rest / 2, rest - rest / 2) };
    let shot = |shot: &Shot| format!("{} {}", time(shot, zone), shot.name);
    let decides = end.latest().map_or_else(String::new, shot);
    let (was, was_style) = match end.before() {
        Some(before) => {
            let (style, sign) = outcome(before.verdict, theme);
            let more = if end.shots.len() > 2 { format!(" (+{})", end.shots.len() - 2) } else { String::new() };
            (format!("{sign} {}{more}", shot(before)), style)
        }
        None => (String::new(), theme.dim()),
    };
    Line::from(vec![
        Span::raw(head),
        Span::styled(fit(&format!("{sign} {}", end.standing), 16, ellipsis), style),
        Span::raw(fit(&decides, now, ellipsis)),
        Span::styled(fit(&was, before, ellipsis), was_style),
    ])
}

fn time(shot: &Shot, zone: &TimeZone) -> String {
    let at = shot.seen_at.parse::<Timestamp>();
    at.map_or_else(|_| String::new(), |at| at.to_zoned(zone.clone()).strftime("%m-%d %H:%M").to_string())
}

fn hand_over(hand_over: HandOver, theme: &Theme) -> (Style, &'static str) {
    match hand_over {
        HandOver::Pass => (theme.good(), theme.signs.pass),
        HandOver::Fail => (theme.bad(), theme.signs.fail),
        HandOver::Open => (theme.warn(), theme.signs.none),
    }
}

fn standing(standing: Standing, theme: &Theme) -> (Style, &'static str) {
    match standing {
        Standing::Pass => (theme.good(), theme.signs.pass),
        Standing::Fail => (theme.bad(), theme.signs.fail),
        Standing::Missing | Standing::Failed => (theme.warn(), theme.signs.warn),
        Standing::NotGraded => (theme.warn(), theme.signs.none),
        Standing::Waiting => (theme.dim(), theme.signs.ellipsis),
    }
}

fn outcome(verdict: Option<Outcome>, theme: &Theme) -> (Style, &'static str) {
    theme.outcome(verdict.unwrap_or(Outcome::NotGraded))
}
