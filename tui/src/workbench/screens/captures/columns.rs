//! The list's columns: which are shown, how wide each is, what a row says in it.

use ferrule_core::filter::{Column, Order};
use ratatui::{
    style::Style,
    text::{Line, Span},
};

use crate::workbench::{
    figures,
    plain::fit,
    rows::{Label, Row},
    screens::Look,
    theme::Theme,
};

/// What a workbench begins with.
pub const USUAL: [Column; 7] =
    [Column::State, Column::Label, Column::Time, Column::Source, Column::Name, Column::Defects, Column::Verdict];

/// Columns as they are kept in a saved view; none for the usual ones.
pub fn written(columns: &[Column]) -> String {
    if columns == USUAL {
        return String::new();
    }
    columns.iter().map(|column| column.as_str()).collect::<Vec<_>>().join(",")
}

/// The way back. Words that this build does not know are left out.
pub fn read(text: &str) -> Vec<Column> {
    let known: Vec<_> = text.split(',').filter_map(Column::parse).collect();
    if known.is_empty() { USUAL.to_vec() } else { known }
}

/// Which end of a column is looked at first: the latest, the worst, the highest; but `a` before `b`.
pub const fn first_order(by: Column) -> Order {
    let descending = !matches!(
        by,
        Column::State | Column::Source | Column::Name | Column::Job | Column::Port | Column::Side | Column::Split
    );
    Order { by, descending }
}

/// The columns that there is room for, each with its width.
pub struct Table {
    columns: Vec<(Column, usize)>,
    /// Room for the capture's number, on a wide screen.
    id: usize,
}

/// The mark at the beginning of a row.
const MARK: usize = 2;

/// The least of a name that says something.
const SHORTEST_NAME: usize = 12;

impl Table {
    pub fn new(chosen: &[Column], width: usize) -> Self {
        let id = if width >= 100 { 9 } else { 0 };
        let mut room = width.saturating_sub(MARK + if id > 0 { id + 1 } else { 0 });
        let mut columns = Vec::new();
        for column in chosen.iter().copied() {
            let least = width_of(column).unwrap_or(if column == Column::Name { SHORTEST_NAME } else { 6 });
            // What comes last is left out first.
            if least + 1 > room {
                break;
            }
            room -= least + 1;
            columns.push((column, least));
        }
        // What is left goes to names, a third of it to sources.
        let source = columns.iter().any(|(column, _)| *column == Column::Source);
        let for_source = if source { (room / 3).min(14) } else { 0 };
        for (column, width) in &mut columns {
            match column {
                Column::Source => *width += for_source,
                Column::Name => *width += room - for_source,
                _ => {}
            }
        }
        Self { columns, id }
    }

    /// The heads, the one that the list is sorted by with a sign.
    pub fn head(&self, order: Order, theme: &Theme) -> Line<'static> {
        let sign = if order.descending { theme.signs.descending } else { theme.signs.ascending };
        let mut spans = vec![Span::raw(" ".repeat(MARK))];
        if self.id > 0 {
            spans.push(Span::styled(format!("{:>width$} ", "id", width = self.id), theme.dim()));
        }
        for (column, width) in &self.columns {
            let sorted = *column == order.by;
            let text = if sorted { format!("{}{sign}", column.as_str()) } else { column.as_str().to_owned() };
            let text =
                if is_number(*column) { format!("{text:>width$}") } else { fit(&text, *width, theme.signs.ellipsis) };
            spans.push(Span::styled(format!("{text} "), if sorted { theme.title() } else { theme.dim() }));
        }
        Line::from(spans)
    }

    pub fn row(&self, row: &Row, marked: bool, look: &Look) -> Line<'static> {
        let theme = look.theme;
        let mark = if marked { theme.signs.mark } else { " " };
        let mut spans = vec![Span::styled(format!("{mark:<MARK$}"), theme.key())];
        if self.id > 0 {
            spans.push(Span::styled(format!("{:>width$} ", row.capture.0, width = self.id), theme.dim()));
        }
        for (column, width) in &self.columns {
            let (text, style) = cell(*column, row, look);
            let text =
                if is_number(*column) { format!("{text:>width$}") } else { fit(&text, *width, theme.signs.ellipsis) };
            spans.push(Span::styled(format!("{text} "), style));
        }
        Line::from(spans)
    }
}

/// Columns that need no more and no less; `None` for those that take what is left.
const fn width_of(column: Column) -> Option<usize> {
    Some(match column {
        Column::Source | Column::Name => return None,
        Column::State | Column::Time => 9,
        Column::Label | Column::Defects | Column::Quality | Column::Job => 8,
        Column::Severity => 10,
        Column::Confidence | Column::Split | Column::Port | Column::Side => 6,
        Column::Verdict => 12,
        Column::Milliseconds => 7,
        Column::Size => 11,
    })
}

const fn is_number(column: Column) -> bool {
    matches!(column, Column::Defects | Column::Confidence | Column::Quality | Column::Milliseconds | Column::Size)
}

fn cell(column: Column, row: &Row, look: &Look) -> (String, Style) {
    let theme = look.theme;
    let number = |number: Option<f64>, digits: usize| {
        (number.map_or_else(String::new, |number| format!("{number:.digits$}")), theme.text())
    };
    match column {
        Column::State => (row.state.to_string(), theme.state(row.state)),
        Column::Label => {
            let (style, sign) = theme.label(row.has_defect);
            let text = match Label::of(row.has_defect) {
                Label::None => String::new(),
                label => format!("{sign} {}", figures::label(label)),
            };
            (text, style)
        }
        Column::Time => (figures::time(row, look.zone), theme.text()),
        Column::Source => (row.source.clone(), theme.dim()),
        Column::Name => (row.name.clone(), theme.text()),
        Column::Defects => {
            let warn = if row.incomplete { theme.signs.warn } else { "" };
            (row.defects.map_or_else(String::new, |count| format!("{count}{warn}")), theme.text())
        }
        Column::Verdict => row.verdict.map_or((String::new(), theme.dim()), |verdict| {
            let (style, sign) = theme.outcome(verdict);
            (format!("{sign} {verdict}"), style)
        }),
        Column::Severity => row.severity.map_or((String::new(), theme.dim()), |severity| {
            (severity.as_str().to_lowercase(), theme.severity(severity))
        }),
        Column::Confidence => number(row.confidence, 2),
        Column::Quality => number(row.quality, 0),
        Column::Split => (row.split.clone(), theme.text()),
        Column::Job => (row.job.clone(), theme.text()),
        Column::Port => (row.port.clone(), theme.text()),
        Column::Side => (row.side.clone(), theme.text()),
        Column::Milliseconds => number(row.ms, 0),
        Column::Size => (crate::workbench::text::number(row.size), theme.text()),
    }
}
