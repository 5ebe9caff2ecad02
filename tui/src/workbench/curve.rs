//! Curves over epochs: an x axis from the first epoch to the last that was planned, so that a new point changes few cells;
//! letters at their ends, so that several can be told apart without colour; the best epoch of one marked.

use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Style},
    text::{Line, Span},
    widgets::canvas::{Canvas, Line as Stroke, Points},
};

use super::theme::Theme;

/// Columns for figures left of the plot.
const SCALE: u16 = 8;

/// One run's figure by epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Stands at its end.
    pub sign: String,
    pub points: Vec<(f64, f64)>,
    pub colour: Color,
    /// The epoch to mark.
    pub best: Option<f64>,
}

/// What a plot shows.
#[derive(Debug)]
pub struct Plot<'a> {
    pub curves: &'a [Curve],
    /// Epochs planned, of the longest run.
    pub epochs: u32,
    /// A figure between 0 and 1 keeps that scale while it fills enough of it.
    pub unit: bool,
}

impl Plot<'_> {
    /// Lowest and highest value on the plot, with some room.
    fn bounds(&self) -> Option<[f64; 2]> {
        let values =
            || self.curves.iter().flat_map(|curve| &curve.points).map(|point| point.1).filter(|y| y.is_finite());
        let (low, high) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
        if self.unit && (high - low) > 0.2 {
            return Some([0.0, 1.0]);
        }
        let room = ((high - low) * 0.08).max(high.abs() * 0.01).max(1e-6);
        let (low, high) = (low - room, high + room);
        Some(if self.unit { [low.max(0.0), high.min(1.0)] } else { [low.max(0.0), high] })
    }

    /// Draws it; a sentence where there is nothing to draw yet.
    pub fn draw(&self, frame: &mut Frame, area: Rect, theme: &Theme, nothing: &str) {
        let Some(bounds) = self.bounds().filter(|_| area.height >= 4 && area.width > SCALE + 8) else {
            super::screens::middle(frame, area, nothing, theme.dim());
            return;
        };
        let plot = Rect { x: area.x + SCALE, width: area.width - SCALE - 1, height: area.height - 1, ..area };
        let last = f64::from(self.epochs.max(2));
        let colour = |style: Style| style.fg.unwrap_or(Color::Reset);
        let (plain, best) = (colour(theme.dim()), colour(theme.good()));
        let canvas = Canvas::default().marker(theme.marker()).x_bounds([1.0, last]).y_bounds(bounds).paint(|context| {
            for curve in self.curves {
                let tint = if theme.has_colours() { curve.colour } else { Color::Reset };
                if let Some(best) = curve.best {
                    context.draw(&Stroke { x1: best, y1: bounds[0], x2: best, y2: bounds[1], color: plain });
                    context.layer();
                }
                for pair in curve.points.windows(2) {
                    let [(x1, y1), (x2, y2)] = [pair[0], pair[1]];
                    context.draw(&Stroke { x1, y1, x2, y2, color: tint });
                }
                context.draw(&Points { coords: &curve.points, color: tint });
            }
            context.layer();
            for curve in self.curves {
                if let Some((x, y)) = curve.best.and_then(|best| curve.points.iter().find(|point| point.0 == best)) {
                    context.print(*x, *y, Line::styled("*", Style::new().fg(best)));
                }
                if let Some((x, y)) = curve.points.last() {
                    let style = if theme.has_colours() { Style::new().fg(curve.colour) } else { Style::new() };
                    context.print(*x, *y, Line::styled(curve.sign.clone(), style));
                }
            }
        });
        frame.render_widget(canvas, plot);
        self.axes(frame, area, plot, bounds, theme);
    }

    fn axes(&self, frame: &mut Frame, area: Rect, plot: Rect, [low, high]: [f64; 2], theme: &Theme) {
        let buffer = frame.buffer_mut();
        let mut write = |x: u16, y: u16, text: &str| {
            buffer.set_stringn(x, y, text, usize::from(area.right().saturating_sub(x)), theme.dim());
        };
        let rows = plot.height.saturating_sub(1);
        for (share, row) in [(1.0, 0), (0.5, rows / 2), (0.0, rows)] {
            let figure = figure(low + (high - low) * share);
            write(area.x, plot.y + row, &format!("{figure:>width$} ", width = usize::from(SCALE) - 1));
        }
        let last = self.epochs.max(2).to_string();
        write(plot.x, area.bottom() - 1, "1");
        write(plot.right().saturating_sub(last.len() as u16), area.bottom() - 1, &last);
        let word = Span::raw("epoch");
        write(plot.x + plot.width.saturating_sub(word.width() as u16) / 2, area.bottom() - 1, "epoch");
    }
}

/// A figure in at most seven columns.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.1e}");
    }
    let decimals = match size {
        100.0.. => 1,
        10.0.. => 2,
        _ => 4,
    };
    format!("{value:.decimals$}")
}
