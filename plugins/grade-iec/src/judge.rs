//! A zone's limits over the defects that belong to it. Counts only; where defects lie and how large they are is
//! [`crate::face`]'s.
//!
//! A band's number counts what is as large as the band or larger, so that a defect that grows can never make a zone pass.

use ferrule_abi::{DefectKind, Outcome, ZoneVerdict};

use crate::profile::{Band, End, Limit, Ring};

/// Share of a zone that may lie outside the picture: rounding at the edge.
const UNSEEN: f64 = 0.005;

/// Place in the input and size in micrometres of what belongs to a zone.
#[derive(Debug, Clone, Default)]
pub struct Found {
    scratches: Vec<(u32, f64)>,
    defects: Vec<(u32, f64)>,
}

impl Found {
    pub fn add(&mut self, place: u32, size_um: f64, kind: DefectKind) {
        let list = if kind == DefectKind::Scratch { &mut self.scratches } else { &mut self.defects };
        list.push((place, size_um));
    }
}

/// The words for what is counted.
struct Words {
    one: &'static str,
    many: &'static str,
    larger: &'static str,
    or_more: &'static str,
}

const SCRATCHES: Words = Words { one: "scratch", many: "scratches", larger: "wider than", or_more: "wide or wider" };
const DEFECTS: Words = Words { one: "defect", many: "defects", larger: "larger than", or_more: "or larger" };

/// Judges one zone of which that share is in the picture. What is out of it can only be left open, not passed.
pub fn zone(ring: &Ring, found: &Found, visible: f64) -> ZoneVerdict {
    let mut broken = Vec::new();
    broken.extend(breaches(&ring.scratches, &found.scratches, &SCRATCHES));
    broken.extend(breaches(&ring.defects, &found.defects, &DEFECTS));
    let rules: Vec<String> = broken.iter().map(|breach| breach.rule.clone()).collect();
    let mut defects: Vec<u32> = broken.into_iter().flat_map(|breach| breach.places).collect();
    defects.sort_unstable();
    defects.dedup();
    let verdict = |outcome, rule: String, defects: Vec<u32>| ZoneVerdict {
        zone: ring.zone,
        outcome,
        rule: rule.into(),
        defects: defects.into(),
    };
    if !rules.is_empty() {
        verdict(Outcome::Fail, rules.join("; "), defects)
    } else if visible < 1.0 - UNSEEN {
        let share = ((1.0 - visible) * 100.0).ceil();
        verdict(Outcome::NotGraded, format!("{share} % of the zone lies outside the picture"), defects)
    } else {
        verdict(Outcome::Pass, String::new(), defects)
    }
}

struct Breach {
    rule: String,
    places: Vec<u32>,
}

/// Every part of a limit that these sizes break.
fn breaches(limit: &Limit, sizes: &[(u32, f64)], words: &Words) -> Vec<Breach> {
    let Limit::Bands(bands) = limit else { return Vec::new() };
    let beyond = |end: Option<End>| -> Vec<(u32, f64)> {
        sizes.iter().copied().filter(|(_, size)| end.is_none_or(|end| end.is_exceeded_by(*size))).collect()
    };
    let starts = std::iter::once(None).chain(bands.iter().map(|band| Some(band.end)));
    // Nothing is allowed beyond the last band.
    let most = bands.iter().map(|band: &Band| band.most).chain([Some(0)]);
    let counted = starts.zip(most).filter_map(|(start, most)| Some((start, most?)));
    let broken = counted.filter_map(|(start, most)| {
        let over = beyond(start);
        (over.len() > most as usize).then(|| Breach {
            rule: rule(start, most, &over, words),
            places: over.iter().map(|(place, _)| *place).collect(),
        })
    });
    broken.collect()
}

fn rule(start: Option<End>, most: u32, over: &[(u32, f64)], words: &Words) -> String {
    let number = match most {
        0 => format!("no {}", words.one),
        1 => format!("at most 1 {}", words.one),
        _ => format!("at most {most} {}", words.many),
    };
    let which = match start {
        None => String::new(),
        Some(End::UpTo(um)) => format!(" {} {um} µm", words.larger),
        Some(End::Below(um)) => format!(" {um} µm {}", words.or_more),
    };
    let worst = over.iter().map(|(_, size)| *size).fold(0.0, f64::max);
    let worst = if worst.is_finite() { format!("up to {worst:.1} µm") } else { "of unknown size".into() };
    format!("{number}{which}: found {}, {worst}", over.len())
}
