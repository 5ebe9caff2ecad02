//! The Plug-ins screen drawn.

use std::sync::Arc;

use ferrule_core::{
    protocol::Status,
    report::{DefectKind, Inspection},
    swap::SwapOutcome,
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Look, ParameterForm, Plugins, Row, chosen, middle, pane};
use crate::workbench::{
    figures,
    layout::{self, FormParts},
    picture::PictureKey,
    plain::{clean, cut, fit},
    rows::Detail,
    screens::{ScreenName, picture},
    text,
    theme::Theme,
};

/// Columns: slot, plug-in, version, health, median time, build.
const SLOT: usize = 8;
const VERSION: usize = 10;
const HEALTH: usize = 13;
const TIME: usize = 10;
const BUILD: usize = 12;

impl Plugins {
    pub fn draw(
        &self,
        frame: &mut Frame,
        body: Rect,
        look: &Look,
        status: Option<&Status>,
        wanted: Option<PictureKey>,
    ) {
        if let Some(form) = &self.form {
            return draw_form(frame, body, look, form, wanted);
        }
        if let Some(builds) = &self.builds {
            return builds.draw(frame, body, look);
        }
        if let Some(swaps) = &self.swaps {
            pane(frame, body, look, text::SWAPS, text::SWAPS_BACK, look.theme.dim());
            let inner = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
            let lines: Vec<Line> =
                swaps.iter().flat_map(|swap| swap_lines(swap, usize::from(inner.width), look)).collect();
            if lines.is_empty() {
                return middle(frame, inner, text::NO_SWAPS, look.theme.dim());
            }
            return frame.render_widget(Paragraph::new(lines), inner);
        }
        self.draw_list(frame, body, look, status);
    }

    fn draw_list(&self, frame: &mut Frame, body: Rect, look: &Look, status: Option<&Status>) {
        let theme = look.theme;
        let rows = self.rows(status);
        let title = text::screen(ScreenName::Plugins);
        if rows.is_empty() {
            pane(frame, body, look, title, "", theme.dim());
            let message = if status.is_some() { text::NO_PLUGINS } else { text::NO_STATUS };
            return middle(frame, body, message, theme.dim());
        }
        let aside = status.map_or_else(String::new, |status| {
            let pipeline = status.pipeline.as_ref().map_or_else(String::new, |id| format!(", pipeline {id}"));
            format!("generation {}{pipeline}", status.generation)
        });
        pane(frame, body, look, title, &aside, theme.dim());
        let inner = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
        let [list, about] = Layout::vertical([Constraint::Min(4), Constraint::Length(8)]).areas(inner);
        let width = usize::from(inner.width);
        let name = width.saturating_sub(SLOT + VERSION + HEALTH + TIME + BUILD + 6);
        let ellipsis = theme.signs.ellipsis;
        let head = [("slot", SLOT), ("plug-in", name), ("version", VERSION), ("health", HEALTH), ("median", TIME)];
        let mut words: String = head.iter().map(|(word, width)| format!("{} ", fit(word, *width, ellipsis))).collect();
        words.push_str("build");
        let mut lines = vec![Line::styled(words, theme.dim())];
        let selected = self.cursor.min(rows.len() - 1);
        let room = usize::from(list.height).saturating_sub(1).max(1);
        let top = (selected + 1).saturating_sub(room);
        for (index, row) in rows.iter().enumerate().skip(top).take(room) {
            let line = row_line(row, name, theme);
            lines.push(if index == selected { chosen(line, theme) } else { line });
        }
        frame.render_widget(Paragraph::new(lines), list);
        if let Some(row) = rows.get(selected) {
            frame.render_widget(Paragraph::new(self.about(row, width, theme)), about);
        }
    }

    /// What is known of a plug-in, and of libraries that were refused.
    fn about(&self, row: &Row<'_>, width: usize, theme: &Theme) -> Vec<Line<'static>> {
        let mut lines = vec![Line::raw("")];
        let mut say = |text: String, style| {
            lines.extend(
                figures::wrap(&text, width.saturating_sub(1)).into_iter().map(|part| Line::styled(part, style)),
            );
        };
        if let Some(found) = row.found {
            say(format!("{}: {}", found.card.name(), clean(&found.card.summary)), theme.title());
            say(format!("build {} of {}", found.build, clean(&found.found)), theme.dim());
            if !found.set.is_empty() {
                let set: Vec<String> = found.set.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                say(clean(&set.join(", ")), theme.text());
            }
        } else if let Some(status) = row.status {
            say(format!("{} {}", status.id, status.version), theme.title());
            say(format!("build {}", status.build), theme.dim());
        }
        if let Some(status) = row.status {
            if let Some(problem) = &status.problem {
                say(problem.clone(), theme.warn());
            }
            if status.quarantined {
                say(text::RELEASE_HELP.to_owned(), theme.text());
            }
        }
        for refused in self.list.iter().flat_map(|list| &list.refused) {
            let sign = theme.signs.fail;
            say(format!("{sign} {}: {}", clean(&refused.path), clean(&refused.reason)), theme.warn());
        }
        lines
    }
}

fn row_line(row: &Row<'_>, name: usize, theme: &Theme) -> Line<'static> {
    let ellipsis = theme.signs.ellipsis;
    let (style, sign, health) = match (row.status, row.is_in()) {
        (Some(status), _) if status.quarantined => (theme.bad(), theme.signs.fail, "quarantined"),
        (Some(status), true) if status.problem.is_some() => (theme.warn(), theme.signs.warn, "trouble"),
        (Some(_), true) => (theme.good(), theme.signs.pass, "well"),
        (None, true) => (theme.warn(), theme.signs.warn, "not yet"),
        (_, false) if row.slot() == "train" => (theme.dim(), theme.signs.pass, "on call"),
        (_, false) => (theme.dim(), theme.signs.none, "off"),
    };
    let (id, version, build) = match (row.found, row.status) {
        (Some(found), _) => (found.card.id.as_str(), found.card.version.as_str(), found.build.as_str()),
        (None, Some(status)) => (status.id.as_str(), status.version.as_str(), status.build.as_str()),
        (None, None) => ("", "", ""),
    };
    let ms = row.status.and_then(|status| status.ms).filter(|_| row.is_in());
    let ms = ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
    let plain = if row.is_in() { theme.text() } else { theme.dim() };
    Line::from(vec![
        Span::styled(format!("{} ", fit(row.slot(), SLOT, ellipsis)), theme.dim()),
        Span::styled(format!("{} ", fit(id, name, ellipsis)), plain),
        Span::styled(format!("{} ", fit(version, VERSION, ellipsis)), plain),
        Span::styled(format!("{} ", fit(&format!("{sign} {health}"), HEALTH, ellipsis)), style),
        Span::styled(format!("{ms:<TIME$} "), plain),
        Span::styled(fit(build, BUILD, ellipsis), theme.dim()),
    ])
}

fn swap_lines(swap: &ferrule_core::swap::Swap, width: usize, look: &Look) -> Vec<Line<'static>> {
    let theme = look.theme;
    let (style, sign) = match swap.outcome {
        SwapOutcome::InForce => (theme.good(), theme.signs.pass),
        SwapOutcome::Refused => (theme.bad(), theme.signs.fail),
        SwapOutcome::Trying => (theme.warn(), theme.signs.cursor),
        SwapOutcome::Superseded => (theme.dim(), theme.signs.none),
    };
    let at = look.moment(&swap.at);
    let number = swap.generation.map_or_else(|| "-".to_owned(), |generation| generation.to_string());
    let took = swap.took_ms.map_or_else(String::new, |ms| format!(" in {ms:.0} ms"));
    let changes: Vec<String> = swap.changes.iter().map(|change| clean(&change.to_string())).collect();
    let what = match (&swap.library, changes.is_empty()) {
        (Some(library), _) => clean(library),
        (None, false) => changes.join("; "),
        (None, true) => text::NOTHING_CHANGED.to_owned(),
    };
    let head = Line::from(vec![
        Span::styled(format!("{at} "), theme.dim()),
        Span::styled(format!("{sign} generation {number} {}{took} ", swap.outcome), style),
        Span::raw(cut(&what, width.saturating_sub(50), theme.signs.ellipsis)),
    ]);
    let mut lines = vec![head];
    if let Some(refusal) = &swap.refusal {
        lines.push(Line::styled(cut(&format!("  {}", clean(refusal)), width, theme.signs.ellipsis), theme.warn()));
    }
    lines
}

fn draw_form(frame: &mut Frame, body: Rect, look: &Look, form: &ParameterForm, wanted: Option<PictureKey>) {
    let theme = look.theme;
    let FormParts { fields, beside } = layout::form(body);
    let (aside, style) = match form.form.error() {
        Some(_) => (format!("{} {}", theme.signs.warn, text::FORM_WRONG), theme.warn()),
        None => (text::FORM_APPLY.to_owned(), theme.good()),
    };
    pane(frame, fields, look, &form.title, &aside, style);
    form.form.draw(frame, layout::inner(fields), theme);
    let parts = layout::trial(beside);
    let aside = if form.waits { text::TRIAL_WAITS } else { "" };
    let title = form.subject.as_ref().map_or(text::TRIAL, |subject| subject.row.name.as_str());
    pane(frame, parts.picture, look, title, aside, theme.warn());
    if form.subject.is_none() {
        return middle(frame, layout::inner(parts.picture), text::NO_TRIAL, theme.dim());
    }
    picture(frame, parts.picture, look, wanted);
    pane(frame, parts.words, look, text::TRIAL_EFFECT, "", theme.dim());
    let area = layout::inner(parts.words);
    let lines = match &form.outcome {
        Some(Err(error)) => figures::wrap(&format!("{} {error}", theme.signs.warn), usize::from(area.width))
            .into_iter()
            .map(|line| Line::styled(line, theme.warn()))
            .collect(),
        outcome => effect(form.subject.as_ref(), outcome.as_ref().and_then(|tried| tried.as_ref().ok()), theme),
    };
    frame.render_widget(Paragraph::new(lines), area);
}

const TIME_ROW: &str = "ms";

/// Stored against tried: defects by kind, verdict, time of detection.
fn effect(stored: Option<&Arc<Detail>>, tried: Option<&Arc<Detail>>, theme: &Theme) -> Vec<Line<'static>> {
    let of = |detail: Option<&Arc<Detail>>| detail.and_then(|detail| detail.inspection.clone());
    let (stored, tried) = (of(stored), of(tried));
    let cell = |value: Option<String>| format!("{:>11}", value.unwrap_or_else(|| "-".into()));
    let mut lines =
        vec![Line::styled(format!("{:<10}{:>11}{:>11}", "", text::TRIAL_STORED, text::TRIAL_TYPED), theme.dim())];
    let mut row = |name: &str, figure: &dyn Fn(&Inspection) -> String| {
        let (was, now) = (stored.as_ref().map(figure), tried.as_ref().map(figure));
        // Times are never twice the same.
        let differs = now.is_some() && was != now && name != TIME_ROW;
        // Not by colour alone.
        let (mark, style) = if differs { ("*", theme.warn()) } else { (" ", theme.text()) };
        lines.push(Line::styled(format!("{mark}{:<9}{}{}", name, cell(was), cell(now)), style));
    };
    row("defects", &|it| it.defects.len().to_string());
    for kind in DefectKind::ALL {
        let count = move |it: &Inspection| it.defects.iter().filter(|defect| defect.kind == *kind).count();
        let any = [&stored, &tried].into_iter().flatten().any(|it| count(it) > 0);
        if any {
            row(kind.as_str(), &move |it| count(it).to_string());
        }
    }
    row("verdict", &|it| it.verdict.overall.to_string());
    row(TIME_ROW, &|it| format!("{:.1}", it.ms.total()));
    for missing in tried.iter().flat_map(|it| &it.incomplete) {
        lines.push(Line::styled(format!("{} {}: {}", theme.signs.warn, missing.plugin, missing.reason), theme.warn()));
    }
    lines
}
