//! The Review screen drawn: the picture, what is found in it, what was said of it, how far the queue is.

use ferrule_core::{dataset::review::Agreement, report::DefectKind};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Choosing, Reviewing, not_found, shown_name, word_about, words};
use crate::workbench::{
    figures, layout,
    picture::PictureKey,
    plain::cut,
    rows::{Detail, Label},
    screens::{Look, chosen, middle, pane, picture},
    text,
    theme::Theme,
};

impl Reviewing {
    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look, wanted: Option<PictureKey>, view: &str) {
        let (parts, theme) = (layout::detail(body), look.theme);
        let title = self.detail().map_or_else(
            || text::screen(crate::workbench::screens::ScreenName::Review).to_owned(),
            |detail| format!("#{} {}", detail.row.capture, detail.row.name),
        );
        pane(frame, parts.picture, look, &title, view, theme.dim());
        match (self.detail(), &self.open, &self.reviewer) {
            (Some(_), ..) => picture(frame, parts.picture, look, wanted),
            (None, _, None) => middle(frame, layout::inner(parts.picture), text::REVIEWER_NEEDED, theme.dim()),
            (None, Some(_), _) => middle(frame, layout::inner(parts.picture), text::LOADING, theme.dim()),
            (None, None, Some(_)) => {
                let message = if self.ended { text::NOTHING_TO_REVIEW } else { text::LOADING };
                middle(frame, layout::inner(parts.picture), message, theme.dim());
            }
        }
        let area = layout::inner(parts.facts);
        pane(frame, parts.facts, look, text::queue(self.queue), &self.progress(), theme.dim());
        let lines: Vec<Line> =
            self.lines(theme, usize::from(area.width)).into_iter().take(usize::from(area.height)).collect();
        frame.render_widget(Paragraph::new(lines), area);
    }

    /// Where in the queue it is.
    fn progress(&self) -> String {
        let more = if self.ended { "" } else { "+" };
        let at = (self.at + 1).min(self.items.len());
        format!("{} of {}{more}", text::number(at as u64), text::number(self.items.len() as u64))
    }

    fn lines(&self, theme: &Theme, width: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        if self.choosing.is_some() {
            lines.extend(kinds(self.choosing.as_ref(), theme));
        }
        if let Some(reviewer) = &self.reviewer {
            let decided = text::number(self.deeds.images() as u64);
            let line = format!("{}{}  {decided} decided", text::REVIEWER, shown_name(reviewer));
            lines.push(Line::styled(cut(&line, width, theme.signs.ellipsis), theme.dim()));
        }
        if let Some(detail) = self.detail() {
            lines.extend(self.image(detail, theme, width));
            lines.extend(self.defects(detail, theme, width));
        }
        lines.extend(self.agreements.iter().filter_map(|one| self.agreement(one, theme, width)));
        lines
    }

    /// What is found, and what people say of the image.
    fn image(&self, detail: &Detail, theme: &Theme, width: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        let (style, sign) = theme.label(detail.row.has_defect);
        let label = match Label::of(detail.row.has_defect) {
            Label::None => "no label",
            label => figures::label(label),
        };
        let mut spans = vec![Span::styled(format!("{sign} {label}"), style)];
        if let Some(verdict) = detail.row.verdict {
            let (style, sign) = theme.outcome(verdict);
            spans.push(Span::styled(format!("   {sign} {verdict}"), style));
        }
        lines.push(Line::from(spans));
        for (reviewer, decision) in words(&detail.reviews) {
            let (style, sign) = theme.label(decision.label());
            let line = format!("  {sign} {} says {}", shown_name(reviewer), decision.as_str());
            lines.push(Line::styled(cut(&line, width, theme.signs.ellipsis), style));
        }
        lines
    }

    fn defects(&self, detail: &Detail, theme: &Theme, width: usize) -> Vec<Line<'static>> {
        let Some(inspection) = &detail.inspection else {
            return vec![Line::styled(text::NOT_INSPECTED, theme.dim())];
        };
        let mut lines = vec![Line::styled(format!("Defects {}", inspection.defects.len()), theme.title())];
        for (index, defect) in inspection.defects.iter().enumerate() {
            let word = word_about(&detail.reviews, &defect.id);
            let (sign, said) = match word.map(|review| review.decision.stance()) {
                Some(Some(true)) => (theme.signs.pass, "accepted"),
                Some(Some(false)) => (theme.signs.fail, "rejected"),
                _ => (" ", ""),
            };
            let kind = word.and_then(|review| review.defect.as_ref()).map_or(defect.kind, |said| said.kind);
            let changed = if kind == defect.kind { "" } else { "*" };
            let zone = defect.zone.map_or("", |zone| zone.as_str());
            let severity = defect.severity.as_str().to_lowercase();
            let line = format!(
                "{:>2} {sign} {:<9} {severity:<10} {:.2} {zone:<9} {said}",
                index + 1,
                format!("{kind}{changed}"),
                defect.confidence
            );
            let line = Line::styled(cut(&line, width, theme.signs.ellipsis), theme.severity(defect.severity));
            lines.push(if index == self.cursor { chosen(line, theme) } else { line });
        }
        for review in not_found(detail) {
            let Some(defect) = &review.defect else { continue };
            let [x, y, w, h] = defect.bbox;
            let line = format!(
                " {} {:<9} {w}x{h} at {x},{y}, drawn by {}",
                theme.signs.pass,
                defect.kind,
                shown_name(&review.reviewer)
            );
            lines.push(Line::styled(cut(&line, width, theme.signs.ellipsis), theme.text()));
        }
        lines
    }

    /// How far this reviewer and another agree.
    fn agreement(&self, one: &Agreement, theme: &Theme, width: usize) -> Option<Line<'static>> {
        let me = self.reviewer.as_deref()?;
        let other = match (one.first == me, one.second == me) {
            (true, _) => &one.second,
            (_, true) => &one.first,
            _ => return None,
        };
        let same = one.counts[0] + one.counts[3];
        let kappa = one.kappa().map_or_else(String::new, |kappa| format!(", kappa {kappa:.2}"));
        let line = format!("with {}: {same} of {} the same{kappa}", shown_name(other), one.images());
        Some(Line::styled(cut(&line, width, theme.signs.ellipsis), theme.dim()))
    }
}

/// The types to choose from.
fn kinds(choosing: Option<&Choosing>, theme: &Theme) -> Vec<Line<'static>> {
    let title = match choosing {
        Some(Choosing::Drawn(_)) => text::KIND_OF_BOX,
        _ => text::KIND_OF_DEFECT,
    };
    let mut lines = vec![Line::styled(title, theme.warn())];
    for (index, kind) in DefectKind::ALL.iter().enumerate() {
        lines.push(Line::from(vec![Span::styled(format!("  {} ", index + 1), theme.key()), Span::raw(kind.as_str())]));
    }
    lines
}
