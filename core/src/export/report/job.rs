//! The hand-over of a job: a page for the customer and a table for a spreadsheet, an end a row, with the capture before where
//! an end was cleaned and captured again.

use std::{fmt::Write as _, io::Write as _, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use csv::{Terminator, WriterBuilder};

use super::{
    super::{
        Export, ExportError, Progress, Written,
        csv::harmless,
        whole::{trouble, whole},
    },
    page::{POLICY, STYLE, escaped},
    worst::draw,
};
use crate::{
    ids::ImageId,
    job::{End, Job, Shot, Standing},
    report::Inspection,
};

/// Columns of the table.
const COLUMNS: [&str; 14] = [
    "job",
    "port",
    "side",
    "standing",
    "failed_rules",
    "captures",
    "image_id",
    "file",
    "captured_at",
    "has_defect",
    "before_verdict",
    "before_image_id",
    "before_file",
    "before_captured_at",
];

/// A capture's picture and result, as far as they could be read.
#[derive(Default)]
struct Seen {
    png: Option<String>,
    inspection: Option<Inspection>,
}

/// Writes `<name>.html` and `<name>.csv` into the export's folder, `name` being made from the job's.
///
/// # Errors
/// See [`ExportError`]. A picture that cannot be read is listed; its end is on the page all the same.
pub fn job(export: &Export<'_>, job: &Job, progress: &mut Progress<'_>) -> Result<Written, ExportError> {
    let stem = crate::names::image_filename(Path::new(&format!("job-{}", job.name)), "");
    let (page, table) = (export.out.join(format!("{stem}.html")), export.out.join(format!("{stem}.csv")));
    let mut skipped = Vec::new();
    let mut rows = String::new();
    let mut records = Vec::new();
    for (place, end) in job.ends.iter().enumerate() {
        let mut see = |shot: Option<&Shot>| see(export, shot, &mut skipped);
        let (now, before) = (see(end.latest())?, see(end.before())?);
        records.push(record(job, end, &now));
        row(&mut rows, end, &now, &before);
        progress(place as u64 + 1)?;
    }
    let text = document(job, &rows);
    let html = whole(&page, |file| file.write_all(text.as_bytes()).map_err(trouble(&page)))?;
    let broken = trouble(&table);
    let csv = whole(&table, |file| {
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(file);
        let failed = |error: csv::Error| broken(error.into());
        writer.write_record(COLUMNS).map_err(failed)?;
        for record in &records {
            writer.write_record(record.iter().map(|text| harmless(text).into_owned())).map_err(failed)?;
        }
        writer.flush().map_err(&broken)
    })?;
    Ok(Written { files: vec![html, csv], items: job.ends.len() as u64, skipped, gone: 0 })
}

fn see(export: &Export<'_>, shot: Option<&Shot>, skipped: &mut Vec<(ImageId, String)>) -> Result<Seen, ExportError> {
    let Some(image) = shot.and_then(|shot| shot.image) else { return Ok(Seen::default()) };
    let Some(exhibit) = export.reader.exhibit_of(image)? else { return Ok(Seen::default()) };
    let png = match draw(export, &exhibit) {
        Ok(png) => Some(STANDARD.encode(png)),
        Err(reason) => {
            skipped.push((image, reason));
            None
        }
    };
    Ok(Seen { png, inspection: Some(exhibit.inspection) })
}

fn record(job: &Job, end: &End, now: &Seen) -> [String; COLUMNS.len()] {
    let image =
        |shot: Option<&Shot>| shot.and_then(|shot| shot.image).map(|image| image.to_string()).unwrap_or_default();
    let name = |shot: Option<&Shot>| shot.map(|shot| shot.name.clone()).unwrap_or_default();
    let at = |shot: Option<&Shot>| shot.map(|shot| shot.seen_at.clone()).unwrap_or_default();
    let (latest, before) = (end.latest(), end.before());
    let failed = now.inspection.as_ref().map(|it| it.verdict.failed.join("; ")).unwrap_or_default();
    let has_defect = latest.and_then(|shot| shot.has_defect).map(|it| u8::from(it).to_string()).unwrap_or_default();
    let verdict = before.and_then(|shot| shot.verdict).map(|it| it.to_string()).unwrap_or_default();
    [
        job.name.clone(),
        end.port.clone(),
        end.side.clone(),
        end.standing.to_string(),
        failed,
        end.shots.len().to_string(),
        image(latest),
        name(latest),
        at(latest),
        has_defect,
        verdict,
        image(before),
        name(before),
        at(before),
    ]
}

fn document(job: &Job, rows: &str) -> String {
    let name = escaped(&job.name);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Job {name}: {}</title>\
         <style>{STYLE}{OWN}</style></head><body>\n<h1>Job {name}</h1>\n<p class=\"over {}\">{}</p>\n<table>",
        job.hand_over,
        job.hand_over,
        job.hand_over.as_str().to_uppercase()
    );
    for standing in Standing::ALL {
        let count = job.count(standing);
        if count > 0 {
            let _ = write!(html, "<tr><td>{standing}<td class=\"n\">{count}</tr>");
        }
    }
    let version = env!("CARGO_PKG_VERSION");
    let last = job.last().map_or("", |shot| &shot.seen_at);
    let _ = write!(
        html,
        "</table>\n<p>{} ends; the latest capture of each decides, the one before it stands beside it. Last capture {}. \
         Written by ferrule {version}.</p>\n<h2>Ends</h2>\n\
         <table class=\"ends\"><tr><th>port<th>side<th>verdict<th>latest capture<th>before</tr>{rows}</table>\n</body></html>\n",
        job.ends.len(),
        escaped(last)
    );
    html
}

/// Beside the style of every page.
const OWN: &str = "
.over{display:inline-block;font-size:1.3rem;font-weight:700;padding:.2rem 1rem;border:3px solid}
.over.pass{color:#1c6b34}.over.fail{color:#a02020}.over.open{color:#7a5a00}
table.ends{width:100%}table.ends tr{break-inside:avoid}table.ends td{border-top:1px solid #cfd6dc;padding-top:.5rem}
table.ends img{max-width:17rem;width:100%;display:block}";

fn row(html: &mut String, end: &End, now: &Seen, before: &Seen) {
    let _ = write!(
        html,
        "<tr><td>{}<td>{}<td><b>{}</b>",
        escaped(&end.port),
        escaped(&end.side),
        end.standing.as_str().to_uppercase()
    );
    if let Some(inspection) = &now.inspection {
        let reasons = inspection.verdict.failed.iter().map(String::as_str).chain([inspection.verdict.reason.as_str()]);
        for reason in reasons.filter(|reason| !reason.is_empty()) {
            let _ = write!(html, "<br>{}", escaped(reason));
        }
    }
    for (shot, seen) in [(end.latest(), now), (end.before(), before)] {
        html.push_str("<td>");
        let Some(shot) = shot else { continue };
        let name = escaped(&shot.name);
        if let Some(png) = &seen.png {
            let _ = write!(html, "<img alt=\"{name}\" src=\"data:image/png;base64,{png}\">");
        }
        let verdict = shot.verdict.map_or_else(|| shot.state.to_string(), |verdict| verdict.to_string());
        let _ = write!(html, "{name}<br>{}, {}", escaped(&shot.seen_at), escaped(&verdict));
    }
    html.push_str("</tr>\n");
}
