//! The page itself: figures and pictures as HTML.

use std::fmt::Write;

use super::{
    chart::{bars, control},
    figures::{Counts, Figures},
    worst::Shown,
};
use crate::names;

pub(super) const STYLE: &str = "
body{font:15px/1.45 system-ui,sans-serif;color:#1c2126;background:#fff;max-width:62rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem;border-bottom:1px solid #cfd6dc}
table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.15rem .8rem .15rem 0;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}code{font-size:.85em;word-break:break-all}
.row{display:flex;flex-wrap:wrap;gap:1rem 3rem}.row>div{min-width:12rem}
svg{width:100%;max-width:36rem;display:block;font-size:11px}.bar{fill:#4878a8}.mid{text-anchor:middle}
polyline{fill:none}.line{stroke:#1c2126;stroke-width:1.5}.mean{stroke:#4878a8}.limit{stroke:#b03030;stroke-dasharray:5 4}
.dot{fill:#1c2126}.out{fill:#fff;stroke:#b03030;stroke-width:2.5}
figure{margin:0 0 1.2rem;break-inside:avoid}figure img{max-width:100%}.grid{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr))}
@media print{body{margin:0;max-width:none}}";

/// No script, nothing from elsewhere, whatever a name holds.
pub(super) const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// Text as text: no markup, no end of an attribute, and no character that hides or turns others.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in names::visible(text).chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            char => out.push(char),
        }
    }
    out
}

pub(super) fn page(figures: &Figures, worst: &[Shown]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>End faces: {} images</title>\
         <style>{STYLE}</style></head><body>\n<h1>End faces: {} images</h1>\n",
        figures.images, figures.images
    );
    let _ = write!(html, "<div class=\"row\">");
    for (title, counts) in [
        ("Labels", &figures.labels),
        ("Verdicts", &figures.verdicts),
        ("Splits", &figures.splits),
        ("Captures", &figures.captures),
    ] {
        let _ = write!(html, "<div><h2>{title}</h2>{}</div>", table(counts));
    }
    html.push_str("</div>\n<h2>Control chart</h2>\n");
    html.push_str(&control(&figures.groups));
    html.push_str("\n<h2>Defects</h2>\n");
    let numbered = |counts: &[u64], name: &dyn Fn(usize) -> String| -> Counts {
        counts.iter().enumerate().map(|(place, count)| (name(place), *count)).collect()
    };
    let more = |place: usize| if place == 10 { "10+".to_owned() } else { place.to_string() };
    html.push_str(&bars("images by number of defects", &numbered(&figures.defects, &more)));
    html.push_str("<p>Images by number of defects.</p>");
    html.push_str(&bars("defects by type", &figures.kinds));
    html.push_str("<p>Defects by type.</p>");
    html.push_str(&bars("defects by severity", &figures.severities));
    html.push_str("<p>Defects by severity.</p>\n<h2>Quality of the pictures</h2>\n");
    let tens = |place: usize| format!("{}-{}", place * 10, place * 10 + 10);
    html.push_str(&bars("images by quality score", &numbered(&figures.quality, &tens)));
    let _ = write!(
        html,
        "<p>Images by quality score; {} have none.</p>\n<h2>Verdicts by zone</h2>\n",
        figures.without_quality
    );
    html.push_str("<table><tr><th>zone<th>verdict<th>images</tr>");
    for (zone, outcome, count) in &figures.zones {
        let _ = write!(html, "<tr><td>{}<td>{}<td class=\"n\">{count}</tr>", escaped(zone), escaped(outcome));
    }
    html.push_str("</table>\n<h2>Worst pictures</h2>\n<div class=\"grid\">");
    worst.iter().for_each(|shown| figure(&mut html, shown));
    html.push_str("</div>\n<h2>Where the results come from</h2>\n<table><tr><th>slot<th>plug-in<th>build<th>parameters<th>images</tr>");
    for build in &figures.builds {
        let _ = write!(
            html,
            "<tr><td>{}<td>{} {}<td><code>{}</code><td><code>{}</code><td class=\"n\">{}</tr>",
            escaped(&build.slot),
            escaped(&build.plugin),
            escaped(&build.version),
            escaped(&build.build),
            escaped(&build.parameters),
            build.images
        );
    }
    html.push_str("</table>\n<p>Pipelines, by their ids:</p>");
    html.push_str(&table(&figures.pipelines));
    let version = env!("CARGO_PKG_VERSION");
    let _ = write!(html, "<p>{} correlated pairs. Written by ferrule {version}.</p>\n</body></html>\n", figures.pairs);
    html
}

fn table(counts: &Counts) -> String {
    let row = |(name, count): &(String, u64)| format!("<tr><td>{}<td class=\"n\">{count}</tr>", escaped(name));
    format!("<table>{}</table>", counts.iter().map(row).collect::<String>())
}

fn figure(html: &mut String, shown: &Shown) {
    let exhibit = &shown.exhibit;
    let inspection = &exhibit.inspection;
    let name = escaped(&exhibit.filename);
    html.push_str("<figure>");
    if let Some(png) = &shown.png {
        let _ = write!(html, "<img alt=\"{name}\" src=\"data:image/png;base64,{png}\">");
    }
    let failed: Vec<String> = inspection.verdict.failed.iter().map(|rule| escaped(rule)).collect();
    let failed = if failed.is_empty() { String::new() } else { format!(": {}", failed.join("; ")) };
    let _ = write!(
        html,
        "<figcaption><b>{name}</b><br><code>{}</code><br>{} defects, {}{failed}<br>",
        exhibit.image,
        inspection.defects.len(),
        escaped(inspection.verdict.overall.as_str())
    );
    for defect in inspection.defects.iter().take(3) {
        let zone = defect.zone.map_or("outside", |zone| zone.as_str());
        let _ = write!(
            html,
            "{} {} in {zone}, {} px, {:.0} % sure<br>",
            defect.severity,
            defect.kind,
            defect.area_px,
            defect.confidence * 100.0
        );
    }
    html.push_str("</figcaption></figure>");
}
