//! Charts as inline SVG: numbers in, markup out. Readable without colours.

use std::fmt::Write;

use super::page::escaped;
use crate::control::{ShareChart, Subgroup, share_chart};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 44.0;
const BOTTOM: f64 = 26.0;

/// Bars side by side, each with its name and count.
pub(super) fn bars(title: &str, bars: &[(String, u64)]) -> String {
    let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1) as f64;
    let step = (WIDTH - LEFT) / bars.len().max(1) as f64;
    let mut svg = open(title);
    for (place, (name, count)) in bars.iter().enumerate() {
        let tall = *count as f64 / most * (HEIGHT - BOTTOM - 22.0);
        let (x, y) = (LEFT + place as f64 * step, HEIGHT - BOTTOM - tall);
        let middle = x + step / 2.0;
        let _ = write!(
            svg,
            "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" class=\"bar\"/>\
             <text x=\"{middle:.1}\" y=\"{:.1}\" class=\"mid\">{count}</text>\
             <text x=\"{middle:.1}\" y=\"{:.1}\" class=\"mid\">{}</text>",
            x + step * 0.1,
            step * 0.8,
            y - 4.0,
            HEIGHT - 8.0,
            escaped(name)
        );
    }
    svg + "</svg>"
}

/// The share of images with a defect, group by group, with the mean and limits of three standard deviations of a binomial
/// share around it (Shewhart's p-chart; ISO 7870-2).
pub(super) fn control(groups: &[Subgroup]) -> String {
    let Some(ShareChart { centre: mean, points, .. }) = share_chart(groups) else {
        return "<p>No labelled images.</p>".into();
    };
    let top = points.iter().flat_map(|point| [point.share, point.high]).fold(0.05, f64::max);
    let step = (WIDTH - LEFT - 12.0) / (points.len().max(2) - 1) as f64;
    let x = |place: usize| LEFT + place as f64 * step;
    let y = |share: f64| HEIGHT - BOTTOM - share / top * (HEIGHT - BOTTOM - 22.0);
    let line = |values: &mut dyn Iterator<Item = f64>| {
        values
            .enumerate()
            .map(|(place, value)| format!("{:.1},{:.1}", x(place), y(value)))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut svg = open("share of images with a defect, in the order of capture");
    for (class, points) in [
        ("limit", line(&mut points.iter().map(|point| point.low))),
        ("limit", line(&mut points.iter().map(|point| point.high))),
        ("mean", line(&mut points.iter().map(|_| mean))),
        ("line", line(&mut points.iter().map(|point| point.share))),
    ] {
        let _ = write!(svg, "<polyline class=\"{class}\" points=\"{points}\"/>");
    }
    let mut beyond = 0;
    for (place, point) in points.iter().enumerate() {
        beyond += u64::from(point.is_out());
        let (class, radius) = if point.is_out() { ("out", 5.0) } else { ("dot", 2.5) };
        let (x, y) = (x(place), y(point.share));
        let _ = write!(svg, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>");
    }
    for share in [0.0, mean, top] {
        let _ = write!(svg, "<text x=\"4\" y=\"{:.1}\">{:.1} %</text>", y(share) + 4.0, share * 100.0);
    }
    let size = groups.first().map_or(0, |group| group.of);
    format!(
        "{svg}</svg><p>{} groups of {size} images; mean {:.1} %; {beyond} beyond the limits of three standard deviations.</p>",
        points.len(),
        mean * 100.0
    )
}

fn open(title: &str) -> String {
    let title = escaped(title);
    format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>")
}
