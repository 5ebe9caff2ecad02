//! One capture's result in lines: verdict, zones, quality, what is missing, defects, figures. Shown beside the picture on
//! the Live screen and in the detail.

use ferrule_core::report::{CaptureState, Defect, Inspection, Outline, Verdict, ZoneName};
use jiff::tz::TimeZone;
use ratatui::text::{Line, Span};

use super::{
    plain::{cut, fit},
    rows::{Detail, Label, Row},
    theme::Theme,
};

/// How a capture's time is written.
pub fn time(row: &Row, zone: &TimeZone) -> String {
    row.seen_at.map_or_else(String::new, |at| at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string())
}

/// The same with its day.
pub fn day_and_time(row: &Row, zone: &TimeZone) -> String {
    row.seen_at.map_or_else(String::new, |at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// A label's word.
pub const fn label(label: Label) -> &'static str {
    match label {
        Label::Defect => "defect",
        Label::Clean => "clean",
        Label::None => "-",
    }
}

/// The whole result, most important first. `width` is in columns.
pub fn lines(detail: &Detail, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![headline(detail, theme, width)];
    if let Some(message) = &detail.message {
        for part in wrap(message, width) {
            lines.push(Line::styled(part, theme.state(detail.row.state)));
        }
    }
    let Some(inspection) = &detail.inspection else { return lines };
    lines.extend(verdict(&inspection.verdict, theme, width));
    for missing in &inspection.incomplete {
        let text = format!("{} missing: {}, {}", theme.signs.warn, missing.plugin, missing.reason);
        lines.push(Line::styled(cut(&text, width, theme.signs.ellipsis), theme.warn()));
    }
    lines.extend(zones(inspection, theme, width));
    lines.extend(quality(inspection, theme, width));
    lines.push(section(&format!("Defects {}", inspection.defects.len()), theme));
    for (index, defect) in inspection.defects.iter().enumerate() {
        lines.push(defect_line(index + 1, defect, inspection.um_per_px, theme, width));
    }
    if !inspection.features.is_empty() {
        lines.push(section("Figures", theme));
        for feature in &inspection.features {
            let name = format!("{} {}", feature.region, feature.name);
            let value = format!("{} {}", short(feature.value), feature.unit);
            lines.push(pair(&name, &value, theme, width));
        }
    }
    let ms = &inspection.ms;
    lines.push(section("Milliseconds", theme));
    for (stage, value) in [
        ("decode", ms.decode),
        ("segment", ms.segment),
        ("detect", ms.detect),
        ("measure", ms.measure),
        ("grade", ms.grade),
        ("artefacts", ms.artefacts),
        ("total", ms.total()),
    ] {
        lines.push(pair(stage, &format!("{value:.1}"), theme, width));
    }
    lines
}

/// Verdict and label, or the state where there is no result.
fn headline(detail: &Detail, theme: &Theme, width: usize) -> Line<'static> {
    let Some(inspection) = &detail.inspection else {
        let word = detail.row.state.as_str().to_uppercase();
        return Line::styled(word, theme.state(detail.row.state));
    };
    let (label_style, label_sign) = theme.label(detail.row.has_defect);
    let label = match Label::of(detail.row.has_defect) {
        Label::Defect => "DEFECT",
        Label::Clean => "CLEAN",
        Label::None => "NO LABEL",
    };
    let (style, sign) = theme.outcome(inspection.verdict.overall);
    let verdict = match &inspection.verdict.profile {
        Some(profile) => format!("{} ({profile})", inspection.verdict.overall),
        None => inspection.verdict.overall.to_string(),
    };
    let mut spans = vec![
        Span::styled(format!("{label_sign} {label}"), label_style.add_modifier(ratatui::style::Modifier::BOLD)),
        Span::raw("  "),
    ];
    let room = width.saturating_sub(label.len() + 4);
    spans.push(Span::styled(cut(&format!("{sign} {verdict}"), room, theme.signs.ellipsis), style));
    if detail.row.state != CaptureState::Done {
        spans.push(Span::styled(format!("  {}", detail.row.state), theme.state(detail.row.state)));
    }
    Line::from(spans)
}

/// Each zone's outcome, the rules that failed, and why it was not graded.
fn verdict(verdict: &Verdict, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if !verdict.zones.is_empty() {
        let outcomes = verdict.zones.iter().enumerate().flat_map(|(index, zone)| {
            let (style, sign) = theme.outcome(zone.outcome);
            let gap = if index == 0 { "" } else { " " };
            [Span::styled(format!("{gap}{} ", zone.zone), theme.dim()), Span::styled(sign, style)]
        });
        lines.push(Line::from(outcomes.collect::<Vec<_>>()));
    }
    // A plug-in writes the sign; a terminal without it is written to in letters.
    let plain = |text: &str| text.replace("µm", theme.signs.micro);
    let mut indented = |text: &str, style| {
        for part in wrap(&plain(text), width.saturating_sub(2)) {
            lines.push(Line::styled(format!("  {part}"), style));
        }
    };
    for rule in &verdict.failed {
        indented(rule, theme.bad());
    }
    if !verdict.reason.is_empty() {
        indented(&verdict.reason, theme.warn());
    }
    lines
}

fn zones(inspection: &Inspection, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    if inspection.zones.iter().next().is_none() {
        return vec![Line::styled("no fibre found", theme.warn())];
    }
    let line = |(zone, outline): (ZoneName, &Outline)| {
        let radius = outline.mean_radius();
        let size = inspection.um_per_px.map_or_else(String::new, |scale| {
            format!("{} {:.1} {}", theme.signs.diameter, 2.0 * radius * scale, theme.signs.micro)
        });
        let text = format!("r {radius:>6.1} px {size:>11} {:>4.0} %", outline.confidence * 100.0);
        Line::from(vec![
            Span::styled(fit(zone.as_str(), 9, theme.signs.ellipsis), theme.zone(zone)),
            Span::raw(cut(&text, width.saturating_sub(9), theme.signs.ellipsis)),
        ])
    };
    inspection.zones.iter().map(line).collect()
}

fn quality(inspection: &Inspection, theme: &Theme, width: usize) -> Option<Line<'static>> {
    let quality = &inspection.quality;
    let mut parts = Vec::new();
    if let Some(score) = quality.score {
        parts.push(format!("quality {score:.0}"));
    }
    if let Some(focus) = quality.focus {
        parts.push(format!("focus {focus:.2}"));
    }
    if !quality.flags.is_empty() {
        parts.push(quality.flags.join(", "));
    }
    let style = if quality.flags.is_empty() { theme.text() } else { theme.warn() };
    (!parts.is_empty()).then(|| Line::styled(cut(&parts.join("  "), width, theme.signs.ellipsis), style))
}

fn defect_line(number: usize, defect: &Defect, um_per_px: Option<f64>, theme: &Theme, width: usize) -> Line<'static> {
    let zone = defect.zone.map_or("", ZoneName::as_str);
    let size = match um_per_px {
        Some(scale) => format!("{:.1}x{:.1} {}", defect.length_px * scale, defect.width_px * scale, theme.signs.micro),
        None => format!("{:.0}x{:.0} px", defect.length_px, defect.width_px),
    };
    let head = format!("{number:>2} {:<8} {:<4}", defect.kind, severity(defect));
    let tail = format!(" {:.2} {zone:<8} {size}", defect.confidence);
    let room = width.saturating_sub(head.len());
    Line::from(vec![
        Span::styled(head, theme.severity(defect.severity)),
        Span::raw(cut(&tail, room, theme.signs.ellipsis)),
    ])
}

/// A severity in at most four letters.
fn severity(defect: &Defect) -> &'static str {
    use ferrule_core::report::Severity::{Critical, High, Low, Medium, Negligible};
    match defect.severity {
        Negligible => "negl",
        Low => "low",
        Medium => "med",
        High => "HIGH",
        Critical => "CRIT",
    }
}

fn section(title: &str, theme: &Theme) -> Line<'static> {
    Line::styled(title.to_owned(), theme.title())
}

fn pair(name: &str, value: &str, theme: &Theme, width: usize) -> Line<'static> {
    let room = width.saturating_sub(2);
    let value = cut(value, room / 2, theme.signs.ellipsis);
    let left = fit(name, room.saturating_sub(value.chars().count() + 1), theme.signs.ellipsis);
    Line::from(vec![Span::styled(format!("  {left} "), theme.dim()), Span::raw(value)])
}

/// A number in few digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() || (size != 0.0 && !(1e-3..1e7).contains(&size)) {
        format!("{value:.3e}")
    } else if size >= 1000.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

/// Breaks a text at spaces into lines of at most that width; a longer word is broken anywhere.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let (mut lines, mut line) = (Vec::new(), String::new());
    let columns = |text: &str| Span::raw(text).width();
    for word in text.split(' ') {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            if columns(&line) + columns(character.encode_utf8(&mut [0; 4])) > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use ferrule_core::report::{Outcome, ZoneVerdict};

    use super::*;
    use crate::workbench::theme::Colours;

    #[test]
    fn a_verdict_shows_every_zone_and_the_whole_reason_in_half_a_small_terminal() {
        let zone = |zone, outcome, rule: &str| ZoneVerdict { zone, outcome, rule: rule.into(), defects: Vec::new() };
        let shown = |given: &Verdict, utf8| {
            let lines = verdict(given, &Theme::new(Colours::None, utf8), 38);
            lines.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let rule = "no scratch wider than 3 µm: found 2, up to 4.5 µm";
        let failed = Verdict {
            profile: Some("sm-pc-panduit".into()),
            overall: Outcome::Fail,
            failed: vec![format!("cladding: {rule}")],
            zones: vec![
                zone(ZoneName::Core, Outcome::Pass, ""),
                zone(ZoneName::Cladding, Outcome::Fail, rule),
                zone(ZoneName::Adhesive, Outcome::Pass, ""),
                zone(ZoneName::Ferrule, Outcome::NotGraded, "4 % of the zone lies outside the picture"),
            ],
            reason: String::new(),
        };
        assert_eq!(
            shown(&failed, true),
            [
                "core ✓ cladding ✗ adhesive ✓ ferrule –",
                "  cladding: no scratch wider than 3",
                "  µm: found 2, up to 4.5 µm"
            ]
        );
        assert_eq!(shown(&failed, false)[2], "  um: found 2, up to 4.5 um");
        let refused = Verdict {
            profile: Some("auto".into()),
            overall: Outcome::NotGraded,
            failed: Vec::new(),
            zones: Vec::new(),
            reason: "the capture is blurred, dark".into(),
        };
        assert_eq!(shown(&refused, true), ["  the capture is blurred, dark"]);
    }

    #[test]
    fn wrapped_lines_fit_and_lose_no_word() {
        let text = "decode: the file ends after 12 of 1,152 rows and cannot be shown averyveryverylongword";
        for width in 1..60 {
            let lines = wrap(text, width);
            assert!(lines.iter().all(|line| Span::raw(line.as_str()).width() <= width), "{lines:?}");
            let joined: String = lines.concat().split(' ').collect();
            assert_eq!(joined, text.split(' ').collect::<String>());
        }
    }
}
