//! The Training screen drawn: how the run stands, past runs, curves or samples or a comparison, and the form.

use ferrule_core::training::Steer;
use ratatui::{
    Frame,
    layout::{Rect, Size},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::{
    MOST_WORST, PlanForm, Training, View, compare,
    progress::{Now, clock},
    table::{self, letter},
};
use crate::workbench::{
    curve::{Curve, Plot, figure},
    figures,
    layout::{self, FormParts, TrainingParts},
    plain::cut,
    runs::{Epoch, Run, Summary},
    screens::{Look, middle, pane},
    text,
    theme::Theme,
};

/// Figures that curves can be of, those that there are; `loss` is both splits'.
const METRICS: [&str; 12] = [
    "loss",
    "val_auc",
    "val_f1",
    "val_accuracy",
    "val_dice",
    "val_iou",
    "val_precision",
    "val_recall",
    "val_average_precision",
    "learning_rate",
    "images_per_second",
    "seconds",
];

/// Figures beside the curves, in this order.
const TOLD: [(&str, &str); 9] = [
    ("val_auc", "AUC"),
    ("val_f1", "F1"),
    ("val_dice", "Dice"),
    ("val_iou", "IoU"),
    ("val_accuracy", "accuracy"),
    ("val_precision", "precision"),
    ("val_recall", "recall"),
    ("val_loss", "loss, val"),
    ("train_loss", "loss, train"),
];

/// Room for one sample's picture, in cells; nothing where none fits.
pub fn worst_room(area: Rect) -> Size {
    // Two lines of words below each.
    let height = area.height.saturating_sub(2).min(16);
    if height < 3 { Size::ZERO } else { Size::new((height * 2).min(area.width), height) }
}

impl Training {
    pub fn draw(&self, frame: &mut Frame, body: Rect, look: &Look) {
        if self.form_is_open {
            return self.draw_form(frame, body, look);
        }
        let parts = layout::training(body, self.now.is_some(), self.runs.len());
        if let Some(now) = &self.now {
            self.draw_now(frame, parts.now, look, now);
        }
        self.draw_runs(frame, parts.runs, look);
        match self.view {
            View::Curves => self.draw_curves(frame, parts, look),
            View::Worst => self.draw_worst(frame, parts.lower, look),
            View::Compare => {
                pane(frame, parts.lower, look, text::TRAINING_COMPARE, "", look.theme.dim());
                let area = layout::inner(parts.lower);
                let lines = compare::lines(self, usize::from(area.width), look.theme);
                frame.render_widget(Paragraph::new(lines), area);
            }
        }
    }

    fn draw_now(&self, frame: &mut Frame, area: Rect, look: &Look, now: &Now) {
        let theme = look.theme;
        let (word, style) = match (now.wish, now.paused) {
            (Steer::Pause, true) => (text::TRAINING_PAUSED, theme.warn()),
            (Steer::Pause, false) => (text::TRAINING_PAUSING, theme.warn()),
            (Steer::StopAfterEpoch, _) => (text::TRAINING_LAST_EPOCH, theme.warn()),
            (Steer::StopNow, _) => (text::TRAINING_STOPPING, theme.warn()),
            (Steer::GoOn, _) => (text::TRAINING_RUNS, theme.good()),
        };
        pane(frame, area, look, &format!("{} {}", text::TRAINING_NOW, now.run), word, style);
        let inner = layout::inner(area);
        let width = usize::from(inner.width);
        let mut lines = Vec::new();
        let left = now.seconds_left(self.epochs_of(&now.run));
        let words = match now.feed {
            Some((done, all)) if now.epochs == 0 => format!(" {done} of {all} pictures made ready"),
            _ if now.epochs == 0 => format!(" {}", text::TRAINING_BEGINS),
            _ => {
                let left = left.map_or_else(String::new, |left| format!("  {} left", clock(left)));
                let batch =
                    if now.batch > 0 { format!("  batch {}/{}", now.batch, now.batches) } else { String::new() };
                let epoch = now.epoch.min(now.epochs);
                format!(" {:3.0} %  epoch {epoch}/{}{batch}{left}", now.share() * 100.0, now.epochs)
            }
        };
        let share = match now.feed {
            Some((done, all)) if now.epochs == 0 => f64::from(done) / f64::from(all.max(1)),
            _ => now.share(),
        };
        let bar = width.saturating_sub(Span::raw(words.as_str()).width()).clamp(8, 60);
        let full = (share * bar as f64).floor() as usize;
        lines.push(Line::from(vec![
            Span::styled(theme.signs.full.repeat(full), theme.good()),
            Span::styled(theme.signs.empty.repeat(bar - full), theme.dim()),
            Span::raw(words),
        ]));
        let mut facts = Vec::new();
        facts.extend(now.loss.map(|loss| format!("loss {}", figure(loss))));
        facts.extend(now.rate.map(|rate| format!("learning rate {rate:.1e}")));
        facts.extend(now.speed.map(|speed| format!("{speed:.0} images/s")));
        if now.epochs > 0 {
            facts.push(format!("{} train, {} val on {}", now.train, now.val, now.device));
            facts.push(format!("{} weights", text::number(now.weights)));
        }
        lines.push(Line::styled(cut(&facts.join("  "), width, theme.signs.ellipsis), theme.dim()));
        frame.render_widget(Paragraph::new(lines), inner);
    }

    fn draw_runs(&self, frame: &mut Frame, area: Rect, look: &Look) {
        let marked = if self.marked.is_empty() { String::new() } else { format!(", {} marked", self.marked.len()) };
        let aside = format!("{}{marked}", text::runs(self.runs.len()));
        pane(frame, area, look, text::TRAINING_PAST, &aside, look.theme.dim());
        let inner = layout::inner(area);
        if self.runs.is_empty() {
            let message = match self.trainer.as_ref().and_then(|trainer| trainer.problem.as_deref()) {
                Some(problem) => problem,
                None => text::NO_RUNS,
            };
            return middle(frame, inner, message, look.theme.dim());
        }
        let rows = usize::from(inner.height.saturating_sub(1));
        frame.render_widget(Paragraph::new(table::lines(self, rows, usize::from(inner.width), look.theme)), inner);
    }

    fn draw_curves(&self, frame: &mut Frame, parts: TrainingParts, look: &Look) {
        let available = self.metrics();
        let metric = available.get(self.metric % available.len().max(1)).copied().unwrap_or("loss");
        if let Some(second) = parts.second {
            // There is room for two: the loss stays, the other one is chosen.
            let others: Vec<&str> = available.iter().copied().filter(|name| *name != "loss").collect();
            let other = others.get(self.metric % others.len().max(1)).copied().unwrap_or("val_f1");
            self.draw_plot(frame, parts.curves, look, "loss");
            self.draw_plot(frame, second, look, other);
        } else {
            self.draw_plot(frame, parts.curves, look, metric);
        }
        let Some(run) = self.selected() else { return };
        pane(frame, parts.facts, look, &run.name, "", look.theme.dim());
        let area = layout::inner(parts.facts);
        frame.render_widget(Paragraph::new(self.facts(run, usize::from(area.width), look.theme)), area);
    }

    /// The figures that the runs shown have.
    fn metrics(&self) -> Vec<&'static str> {
        let has = |name: &str| {
            self.shown().into_iter().any(|run| {
                self.epochs_of(&run.name).iter().any(|epoch| {
                    epoch.figures.contains_key(name) || (name == "loss" && epoch.figures.contains_key("val_loss"))
                })
            })
        };
        METRICS.into_iter().filter(|name| has(name)).collect()
    }

    fn draw_plot(&self, frame: &mut Frame, area: Rect, look: &Look, metric: &str) {
        let theme = look.theme;
        let runs = self.shown();
        let alone = runs.len() == 1;
        let curve = |run: &Run, name: &str, sign: &str, place: usize| Curve {
            sign: sign.to_owned(),
            points: points(self.epochs_of(&run.name), name),
            colour: theme.curve(place),
            best: alone.then(|| self.best_epoch(run)).flatten().map(f64::from),
        };
        let mut curves = Vec::new();
        for (place, run) in runs.iter().enumerate() {
            let sign = if self.marked.is_empty() { "v" } else { letter(place) };
            if metric != "loss" {
                curves.push(curve(run, metric, if self.marked.is_empty() { "" } else { sign }, place));
                continue;
            }
            if alone {
                curves.push(Curve { best: None, ..curve(run, "train_loss", "t", 1) });
            }
            curves.push(curve(run, "val_loss", sign, place));
        }
        let best = runs.first().filter(|_| alone).and_then(|run| self.best_epoch(run));
        let title = match (metric, alone) {
            ("loss", true) => "loss: t train, v val".to_owned(),
            ("loss", false) => "loss, val".to_owned(),
            _ => metric.trim_start_matches("val_").replace('_', " "),
        };
        let aside = best.map_or_else(String::new, |best| format!("* best epoch {best}"));
        pane(frame, area, look, &title, &aside, theme.good());
        let planned = runs.iter().map(|run| run.epochs()).max().unwrap_or(0);
        let seen = curves.iter().flat_map(|curve| curve.points.last()).map(|point| point.0 as u32).max().unwrap_or(0);
        let unit = metric.starts_with("val_");
        let plot = Plot { curves: &curves, epochs: planned.max(seen), unit };
        plot.draw(frame, layout::inner(area), theme, text::NO_EPOCHS);
    }

    /// Figures of the epoch that tells most, the confusion matrix, what was said.
    fn facts(&self, run: &Run, width: usize, theme: &Theme) -> Vec<Line<'static>> {
        let (style, sign) = table::state(run, theme);
        let mut lines = vec![Line::styled(format!("{sign} {}, {} {}", run.state, run.task, run.network), style)];
        if let Some(message) = &run.message {
            lines.extend(figures::wrap(message, width).into_iter().map(|part| Line::styled(part, theme.warn())));
        }
        if let Some(model) = &run.model {
            lines.push(Line::raw(cut(&format!("model {model}"), width, theme.signs.ellipsis)));
        }
        if let Some(epoch) = self.telling(run) {
            lines.push(Line::styled(format!("Epoch {}", epoch.epoch), theme.title()));
            for (name, word) in TOLD {
                if let Some(value) = epoch.figures.get(name) {
                    lines.push(Line::from(vec![
                        Span::styled(format!("{word:<13}"), theme.dim()),
                        Span::raw(figure(*value)),
                    ]));
                }
            }
            lines.extend(confusion(run, epoch, width, theme));
        }
        for (title, said) in [("Tags", &run.tags), ("Notes", &run.notes)] {
            if !said.is_empty() {
                lines.push(Line::styled(title, theme.title()));
                lines.extend(figures::wrap(said, width).into_iter().map(Line::raw));
            }
        }
        lines
    }

    fn draw_worst(&self, frame: &mut Frame, area: Rect, look: &Look) {
        let theme = look.theme;
        let telling = self.selected().and_then(|run| Some((run, self.telling(run)?)));
        let aside = telling.map_or_else(String::new, |(_, epoch)| format!("epoch {}", epoch.epoch));
        pane(frame, area, look, text::TRAINING_WORST, &aside, theme.dim());
        let inner = layout::inner(area);
        let Some((run, epoch)) = telling.filter(|(_, epoch)| !epoch.worst.is_empty()) else {
            return middle(frame, inner, text::NO_WORST, theme.dim());
        };
        let room = worst_room(inner);
        let each = room.width.max(14) + 2;
        let pictures = self.worst.as_ref().filter(|(key, _)| key.run == run.name && key.epoch == epoch.epoch);
        let class = |class: usize| run.classes.get(class).cloned().unwrap_or_else(|| class.to_string());
        let columns = ((inner.width + 2) / each).max(1);
        for (place, worst) in epoch.worst.iter().take(MOST_WORST).enumerate() {
            let (column, row) = (place as u16 % columns, place as u16 / columns);
            let (x, y) = (inner.x + column * each, inner.y + row * (room.height + 3));
            if y + room.height + 2 > inner.bottom() {
                break;
            }
            let cell = Rect { x, y, width: each - 1, height: room.height + 2 };
            match pictures.and_then(|(_, pictures)| pictures.get(place)) {
                Some(Some(picture)) if picture.size().width <= cell.width && picture.size().height <= cell.height => {
                    picture.draw(
                        Rect { width: picture.size().width, height: picture.size().height, ..cell },
                        frame.buffer_mut(),
                    );
                }
                Some(None) => middle(frame, Rect { height: room.height, ..cell }, text::NO_FEED, theme.dim()),
                _ => {}
            }
            let (truth, said) = (class(worst.class), class(worst.said));
            let wrong = worst.class != worst.said;
            let sign = if wrong { theme.signs.fail } else { theme.signs.pass };
            let words = format!("{sign} {truth}, said {said}");
            let lines = vec![
                Line::styled(
                    cut(&words, usize::from(each - 1), theme.signs.ellipsis),
                    if wrong { theme.bad() } else { theme.good() },
                ),
                Line::styled(
                    cut(
                        &format!("loss {} {}", figure(worst.loss), worst.image),
                        usize::from(each - 1),
                        theme.signs.ellipsis,
                    ),
                    theme.dim(),
                ),
            ];
            let below =
                Rect { y: cell.y + room.height, height: cell.height.saturating_sub(room.height).min(2), ..cell };
            frame.render_widget(Paragraph::new(lines), below);
        }
    }

    fn draw_form(&self, frame: &mut Frame, body: Rect, look: &Look) {
        let theme = look.theme;
        let FormParts { fields, beside } = layout::form(body);
        let Some(form) = &self.form else {
            pane(frame, body, look, text::TRAINING_NEW, "", theme.dim());
            let problem = self.trainer.as_ref().and_then(|trainer| trainer.problem.as_deref());
            return middle(frame, body, problem.unwrap_or(text::NO_STATUS), theme.warn());
        };
        let (aside, style) = match form.form.error() {
            Some(_) => (format!("{} {}", theme.signs.warn, text::FORM_WRONG), theme.warn()),
            None => (text::FORM_RIGHT.to_owned(), theme.good()),
        };
        pane(frame, fields, look, text::TRAINING_NEW, &aside, style);
        form.form.draw(frame, layout::inner(fields), theme);
        pane(frame, beside, look, text::TRAINING_DATA, "", theme.dim());
        draw_summary(frame, layout::inner(beside), theme, form);
    }
}

fn draw_summary(frame: &mut Frame, area: Rect, theme: &Theme, form: &PlanForm) {
    let width = usize::from(area.width);
    let lines = match &form.summary {
        None => vec![Line::styled(text::LOADING, theme.dim())],
        Some(Err(refusal)) => {
            let refusal = format!("{} {refusal}", theme.signs.warn);
            figures::wrap(&refusal, width).into_iter().map(|part| Line::styled(part, theme.warn())).collect()
        }
        Some(Ok(summary)) => summary_lines(summary, width, theme),
    };
    frame.render_widget(Paragraph::new(lines), area);
}

fn summary_lines(summary: &Summary, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut classes: Vec<&str> = Vec::new();
    for chosen in &summary.counts {
        if !classes.contains(&chosen.class.as_str()) {
            classes.push(&chosen.class);
        }
    }
    let count = |split: &str, class: Option<&str>| -> u64 {
        let of = summary.counts.iter().filter(|it| it.split == split && class.is_none_or(|class| it.class == class));
        of.map(|it| it.count).sum()
    };
    let row = |name: &str, class: Option<&str>| {
        let cells = ["train", "val", "test"].map(|split| format!("{:>7}", text::number(count(split, class))));
        format!("{:<12}{}", cut(name, 11, theme.signs.ellipsis), cells.concat())
    };
    let mut lines = vec![Line::styled(format!("{:<12}{:>7}{:>7}{:>7}", "class", "train", "val", "test"), theme.dim())];
    lines.extend(classes.iter().map(|class| Line::raw(row(class, Some(class)))));
    lines.push(Line::styled(row("all", None), theme.title()));
    if count("test", None) == 0 {
        lines.push(Line::styled(text::NO_TEST, theme.dim()));
    }
    for (why, number) in &summary.left_out {
        let line = format!("{} left out: {why}", text::number(*number));
        lines.extend(figures::wrap(&line, width).into_iter().map(|part| Line::styled(part, theme.warn())));
    }
    lines
}

fn points(epochs: &[Epoch], name: &str) -> Vec<(f64, f64)> {
    epochs.iter().filter_map(|epoch| Some((f64::from(epoch.epoch), *epoch.figures.get(name)?))).collect()
}

/// Truth down, said across; whole counts, cut to what fits.
fn confusion(run: &Run, epoch: &Epoch, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    if epoch.confusion.is_empty() {
        return Vec::new();
    }
    let name = |class: usize| run.classes.get(class).cloned().unwrap_or_else(|| class.to_string());
    let many = epoch.confusion.len();
    let widest = epoch.confusion.iter().flatten().max().map_or(1, |count| short_count(*count).len());
    let names = (0..many).map(|class| name(class).chars().count()).max().unwrap_or(0).min(10);
    let room = width.saturating_sub(names + 1) / many.max(1);
    let column = (widest + 1).max(8).min(room.max(widest + 1));
    let head: String =
        (0..many).map(|class| format!("{:>column$}", cut(&name(class), column - 1, theme.signs.ellipsis))).collect();
    let mut lines =
        vec![Line::styled(text::CONFUSION, theme.title()), Line::styled(format!("{:names$}{head}", ""), theme.dim())];
    for (truth, row) in epoch.confusion.iter().enumerate() {
        let mut spans =
            vec![Span::styled(format!("{:<names$}", cut(&name(truth), names, theme.signs.ellipsis)), theme.dim())];
        for (said, count) in row.iter().enumerate() {
            let style = match (truth == said, *count) {
                (_, 0) => theme.dim(),
                (true, _) => theme.good(),
                (false, _) => theme.bad(),
            };
            spans.push(Span::styled(format!("{:>column$}", short_count(*count)), style));
        }
        lines.push(Line::from(spans));
    }
    lines
}

/// Pixels are counted in millions.
fn short_count(count: u64) -> String {
    match count {
        0..100_000 => count.to_string(),
        100_000..10_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}
