//! The status in the text format that Prometheus reads (exposition format 0.0.4): for its node exporter's textfile
//! collector, or whatever serves a file. Names and labels are promised: they are added to, never changed.

use std::fmt::Write as _;

use ferrule_core::{protocol::Status, report::CaptureState};
use jiff::Timestamp;

/// All metrics. `None` where no engine answers: then only that is told.
pub fn text(status: Option<&Status>) -> String {
    let mut page = Page::default();
    page.family("ferrule_up", "Whether the workspace's engine answers.")
        .put(&[], f64::from(u8::from(status.is_some())));
    let Some(status) = status else { return page.text };
    page.family("ferrule_info", "The engine's software; always 1.").put(&[("software", &status.software)], 1.0);
    if let Some(started) = seconds(&status.started) {
        page.family("ferrule_start_time_seconds", "When the engine started, in seconds since 1970.").put(&[], started);
    }
    let mut captures = page.family("ferrule_captures", "Captures by state; together they are all that were seen.");
    for state in CaptureState::ALL {
        captures.put(&[("state", state.as_str())], status.counts.of(*state) as f64);
    }
    page.family("ferrule_captures_seen", "Captures seen.").put(&[], status.counts.seen as f64);
    page.family("ferrule_captures_per_second", "Captures done a second, over the last ten seconds.")
        .put(&[], status.per_second);
    let mut latency = page.family(
        "ferrule_capture_latency_seconds",
        "From the complete file to the committed result, over the last 1000 captures.",
    );
    for (quantile, ms) in [("0.5", status.p50_ms), ("0.95", status.p95_ms)] {
        if let Some(ms) = ms {
            latency.put(&[("quantile", quantile)], ms / 1e3);
        }
    }
    page.family("ferrule_paused", "Whether queued captures wait for a person.")
        .put(&[], f64::from(u8::from(status.paused)));
    page.family("ferrule_generation", "Which pipeline is in force, counted from 1.").put(&[], status.generation as f64);
    page.family("ferrule_problems", "Standing troubles; `ferrule status` words them.")
        .put(&[], status.problems.len() as f64);
    page.family("ferrule_training", "Whether a training runs.")
        .put(&[], f64::from(u8::from(status.training.is_some())));
    things(&mut page, status);
    page.text
}

/// Workers, sources, plug-ins, disk.
fn things(page: &mut Page, status: &Status) {
    let busy = status.workers.iter().filter(|worker| worker.busy).count();
    let mut workers = page.family("ferrule_workers", "Worker processes by what they do.");
    workers.put(&[("state", "busy")], busy as f64);
    workers.put(&[("state", "idle")], (status.workers.len() - busy) as f64);
    let memory: u64 = status.workers.iter().map(|worker| worker.memory_mb).sum();
    page.family("ferrule_workers_memory_bytes", "Resident memory of all workers.").put(&[], (memory << 20) as f64);
    let mut sources = page.family("ferrule_source_ok", "Whether a source can be watched.");
    for source in &status.sources {
        sources.put(&[("source", &source.name)], f64::from(u8::from(source.problem.is_none())));
    }
    let mut ok = page.family("ferrule_plugin_ok", "Whether a plug-in of the pipeline takes part: 0 in quarantine.");
    for plugin in &status.plugins {
        let labels = [("plugin", plugin.id.as_str()), ("slot", &plugin.slot), ("version", &plugin.version)];
        ok.put(&labels, f64::from(u8::from(!plugin.quarantined)));
    }
    if let Some(disk) = status.disk {
        page.family("ferrule_disk_free_bytes", "Room on the dataset's disk.").put(&[], (disk.free_mb << 20) as f64);
        page.family("ferrule_disk_wanted_bytes", "With less room than this captures wait.")
            .put(&[], (disk.wanted_mb << 20) as f64);
    }
    if let Some(end) = &status.tidied {
        if let Some(at) = seconds(&end.at) {
            page.family("ferrule_tidy_time_seconds", "When the last tidying ended, in seconds since 1970.")
                .put(&[], at);
        }
        page.family("ferrule_tidy_bytes", "What the last tidying gave back to the disk.")
            .put(&[], end.done.bytes as f64);
    }
}

fn seconds(at: &str) -> Option<f64> {
    at.parse::<Timestamp>().ok().map(|at| at.as_millisecond() as f64 / 1e3)
}

#[derive(Default)]
struct Page {
    text: String,
}

/// Samples of one name: they stand together, behind what they mean. A family without samples is not written.
struct Family<'a> {
    page: &'a mut Page,
    name: &'static str,
    help: &'static str,
    empty: bool,
}

impl Page {
    fn family(&mut self, name: &'static str, help: &'static str) -> Family<'_> {
        Family { page: self, name, help, empty: true }
    }
}

impl Family<'_> {
    fn put(&mut self, labels: &[(&str, &str)], value: f64) {
        let (text, name) = (&mut self.page.text, self.name);
        // Writing to a text cannot fail.
        if std::mem::take(&mut self.empty) {
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} gauge", self.help);
        }
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}

/// A label's value: backslash, quote and line feed are what the format escapes.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::commands::status::tests::sample;

    /// Reads a page by the rules of the format and refuses what breaks one.
    fn parse(page: &str) -> BTreeMap<(String, Vec<(String, String)>), f64> {
        assert!(page.ends_with('\n'), "the last line ends with a line feed");
        let (mut samples, mut ended, mut typed) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let mut family = String::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let (word, rest) = rest.split_once(' ').unwrap();
                let (name, rest) = rest.split_once(' ').unwrap();
                if word == "TYPE" {
                    assert!(["gauge", "counter", "summary", "histogram", "untyped"].contains(&rest), "{line}");
                    assert!(typed.insert(name.to_owned()), "{name} has two types");
                } else {
                    assert_eq!(word, "HELP");
                    assert!(!rest.replace(r"\\", "").replace(r"\n", "").contains('\\'), "{line}");
                }
                continue;
            }
            let end = line.find(['{', ' ']).unwrap();
            let (name, mut rest) = line.split_at(end);
            let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
            assert!(name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit()), "{line}");
            assert!(typed.contains(name), "{name} has no type before its samples");
            if family != name {
                assert!(ended.insert(name.to_owned()), "samples of {name} do not stand together");
                name.clone_into(&mut family);
            }
            let mut labels = Vec::new();
            if let Some(inside) = rest.strip_prefix('{') {
                rest = inside;
                while !rest.starts_with('}') {
                    let (label, after) = rest.split_once("=\"").unwrap();
                    assert!(label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
                    let (mut value, mut letters) = (String::new(), after.char_indices());
                    let end = loop {
                        match letters.next().unwrap() {
                            (at, '"') => break at,
                            (_, '\\') => value.push(match letters.next().unwrap().1 {
                                'n' => '\n',
                                c @ ('\\' | '"') => c,
                                c => panic!("\\{c} is no escape: {line}"),
                            }),
                            (_, c) => value.push(c),
                        }
                    };
                    labels.push((label.to_owned(), value));
                    rest = after[end + 1..].trim_start_matches(',');
                }
                rest = &rest[1..];
            }
            let value: f64 = rest.strip_prefix(' ').unwrap().parse().unwrap();
            let twice = samples.insert((name.to_owned(), labels), value);
            assert_eq!(twice, None, "{line} stands there twice");
        }
        samples
    }

    #[test]
    fn the_page_is_read_by_the_rules_of_the_format_and_says_what_the_status_says() {
        let mut status = sample();
        status.sources[0].name = "a \"quoted\\ name\n".into();
        let samples = parse(&text(Some(&status)));
        let of = |name: &str, labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            samples.get(&(name.to_owned(), labels)).copied()
        };
        assert_eq!(of("ferrule_up", &[]), Some(1.0));
        let states: f64 =
            CaptureState::ALL.iter().map(|state| of("ferrule_captures", &[("state", state.as_str())]).unwrap()).sum();
        assert_eq!(Some(states), of("ferrule_captures_seen", &[]));
        assert!(of("ferrule_source_ok", &[("source", "a \"quoted\\ name\n")]).is_some(), "{samples:?}");
        assert!(of("ferrule_start_time_seconds", &[]).is_some_and(|at| at > 1.7e9));
    }

    #[test]
    fn without_an_engine_only_that_is_told() {
        let samples = parse(&text(None));
        assert_eq!(samples.into_values().collect::<Vec<_>>(), [0.0]);
    }
}
