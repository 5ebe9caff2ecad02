//! Plug-ins: the pipeline in force, slot by slot, with builds, health and times; release from quarantine.

use ferrule_core::{
    ids::PluginId,
    protocol::{PluginStatus, Status},
};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{Look, chosen, middle, pane};
use crate::workbench::{
    figures,
    keys::{self, Action, Binding, Bindings, Key, hidden, shown},
    plain::fit,
    text,
};

pub const KEYS: Bindings = Bindings { title: text::screen(super::ScreenName::Plugins), list: LIST };

const LIST: &[Binding] = &[
    hidden(keys::UP, Action::Up),
    hidden(keys::DOWN, Action::Down),
    shown(&[Key::char('u')], Action::Release),
    hidden(keys::FIRST, Action::First),
    hidden(keys::LAST, Action::Last),
];

/// Columns: slot, plug-in, version, health, median time, build.
const SLOT: usize = 8;
const VERSION: usize = 10;
const HEALTH: usize = 13;
const TIME: usize = 10;
const BUILD: usize = 12;

/// What the Plug-ins screen holds; its rows are the engine's status.
#[derive(Debug, Default)]
pub struct Plugins {
    cursor: usize,
}

impl Plugins {
    pub fn step(&mut self, by: isize, count: usize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(count.saturating_sub(1));
    }

    /// The plug-in under the cursor.
    pub fn selected<'a>(&self, status: &'a Status) -> Option<&'a PluginStatus> {
        status.plugins.get(self.cursor.min(status.plugins.len().saturating_sub(1)))
    }

    /// The plug-in under the cursor, if it is in quarantine.
    pub fn to_release(&self, status: &Status) -> Option<PluginId> {
        self.selected(status).filter(|plugin| plugin.quarantined).map(|plugin| plugin.id.clone())
    }

    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look, status: Option<&Status>) {
        let theme = look.theme;
        let Some(status) = status.filter(|status| !status.plugins.is_empty()) else {
            pane(frame, body, look, text::screen(super::ScreenName::Plugins), "", theme.dim());
            let message = if status.is_some() { text::NO_PLUGINS } else { text::NO_STATUS };
            middle(frame, body, message, theme.dim());
            return;
        };
        let pipeline = status.pipeline.as_ref().map_or_else(String::new, |id| format!(", pipeline {id}"));
        let aside = format!("generation {}{pipeline}", status.generation);
        pane(frame, body, look, text::screen(super::ScreenName::Plugins), &aside, theme.dim());
        let inner = Rect { y: body.y + 1, height: body.height.saturating_sub(1), ..body };
        let width = usize::from(inner.width);
        let name = width.saturating_sub(SLOT + VERSION + HEALTH + TIME + BUILD + 6);
        let ellipsis = theme.signs.ellipsis;
        let head = [("slot", SLOT), ("plug-in", name), ("version", VERSION), ("health", HEALTH), ("median", TIME)];
        let mut text: String = head.iter().map(|(word, width)| format!("{} ", fit(word, *width, ellipsis))).collect();
        text.push_str("build");
        let mut lines = vec![Line::styled(text, theme.dim())];
        let selected = self.cursor.min(status.plugins.len() - 1);
        for (index, plugin) in status.plugins.iter().enumerate() {
            let (style, sign, health) = match (plugin.quarantined, &plugin.problem) {
                (true, _) => (theme.bad(), theme.signs.fail, "quarantined"),
                (false, Some(_)) => (theme.warn(), theme.signs.warn, "trouble"),
                (false, None) => (theme.good(), theme.signs.pass, "well"),
            };
            let ms = plugin.ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
            let line = Line::from(vec![
                Span::styled(format!("{} ", fit(&plugin.slot, SLOT, ellipsis)), theme.dim()),
                Span::raw(format!("{} ", fit(plugin.id.as_str(), name, ellipsis))),
                Span::raw(format!("{} ", fit(&plugin.version, VERSION, ellipsis))),
                Span::styled(format!("{} ", fit(&format!("{sign} {health}"), HEALTH, ellipsis)), style),
                Span::raw(format!("{ms:<TIME$} ")),
                Span::styled(fit(plugin.build.as_str(), BUILD, ellipsis), theme.dim()),
            ]);
            lines.push(if index == selected { chosen(line, theme) } else { line });
        }
        if let Some(plugin) = self.selected(status) {
            lines.push(Line::raw(""));
            lines.push(Line::styled(format!("{} {}", plugin.id, plugin.version), theme.title()));
            lines.push(Line::styled(format!("build {}", plugin.build), theme.dim()));
            for part in plugin.problem.iter().flat_map(|problem| figures::wrap(problem, width.saturating_sub(1))) {
                lines.push(Line::styled(part, theme.warn()));
            }
            if plugin.quarantined {
                lines.push(Line::raw("u takes it back into the pipeline and queues what is incomplete because of it."));
            }
        }
        frame.render_widget(Paragraph::new(lines), inner);
    }
}
