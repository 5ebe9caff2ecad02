//! A workbench with a dataset of its own making: an end face drawn here, rows without end.

use std::path::PathBuf;

use crossterm::event::{Event as Terminal, KeyCode, KeyEvent, KeyModifiers};
use ferrule_core::{
    dataset::review::{Agreement, Decision, Review, ReviewedDefect},
    filter::{Column, Filter, Test},
    ids::{CaptureId, ImageId},
    job::Job,
    protocol::{Answer, Request},
    report::{
        CaptureState, Defect, DefectKind, Feature, Inspection, Missing, Outcome, Outline, Quality, Severity, Timings,
        Verdict, ZoneName, ZoneVerdict, Zones,
    },
    store::{Heat, Listed, ReviewQueue, SavedView, Trend},
};
use image::{GrayImage, Luma};
use jiff::{Timestamp, tz::TimeZone};
use ratatui::{buffer::Buffer, layout::Size};
use tempfile::TempDir;

pub use super::said::{done, status};
use super::{headless::Headless, production, trainings::SampleRuns};
use crate::workbench::{
    app::Setup,
    event::{Event, FromEngine},
    keymap::KeyMap,
    rows::{Detail, List, Page, Place, Row, Rows},
    theme::{Colours, Theme},
};

/// The capture of which something else was said before.
const REINSPECTED: i64 = 1188;

pub const SMALL: Size = Size::new(80, 24);
pub const LARGE: Size = Size::new(160, 50);

/// Rows 1 to `newest`, and one picture for all of them.
pub struct SampleRows {
    pub newest: i64,
    pub picture: PathBuf,
    /// Put in front of every name.
    pub prefix: String,
    /// What others said.
    pub reviews: Vec<Review>,
}

impl SampleRows {
    fn row(&self, id: i64) -> Row {
        let state = match id % 11 {
            3 => CaptureState::Failed,
            7 => CaptureState::Duplicate,
            _ => CaptureState::Done,
        };
        let has_defect = (state == CaptureState::Done).then_some(id % 3 == 0);
        let inspected = has_defect.is_some();
        Row {
            image: Some(image(id)),
            seen_at: Some(Timestamp::from_second(1_790_000_000 + id).expect("a time")),
            source: "scope-1".into(),
            name: format!("{}FT2-{id:06}.png", self.prefix),
            has_defect,
            defects: inspected.then_some(if has_defect == Some(true) { 3 } else { 0 }),
            verdict: inspected.then_some(if id % 3 == 0 { Outcome::Fail } else { Outcome::Pass }),
            incomplete: id % 13 == 0,
            job: format!("A{}", id / 480),
            size: 900_000 + id.unsigned_abs(),
            ..Row::new(CaptureId(id), state)
        }
    }
}

impl SampleRows {
    /// The oldest first. Knows the words that tests look for.
    fn matching_rows(&self, filter: &Filter) -> Vec<Row> {
        let admits = |row: &Row| {
            filter.terms().iter().all(|term| {
                let holds = match &term.test {
                    Test::State(states) => states.contains(&row.state),
                    Test::Label(labels) => labels.contains(&row.has_defect),
                    Test::Name(patterns) => patterns.iter().any(|pattern| pattern.matches(&row.name)),
                    other => panic!("the sample does not know {other:?}"),
                };
                holds != term.negated
            })
        };
        (1..=self.newest).map(|id| self.row(id)).filter(admits).collect()
    }
}

/// Bob calls one capture a defect, and its pit a chip.
fn others() -> Vec<Review> {
    let said = |decision, defect| Review {
        image: image(1197),
        reviewer: "Bob".into(),
        at: None,
        decision,
        defect,
        note: None,
    };
    let chip = ReviewedDefect {
        defect_id: Some(format!("{}-2", image(1197))),
        kind: DefectKind::Chip,
        bbox: [251, 261, 18, 18],
        mask: Vec::new(),
    };
    vec![said(Decision::Defect, None), said(Decision::Confirmed, Some(chip))]
}

pub fn image(id: i64) -> ImageId {
    ImageId::of(&id.to_le_bytes())
}

impl Rows for SampleRows {
    fn page(&mut self, list: &List, place: Place, limit: usize) -> Result<Page, String> {
        let mut all = self.matching_rows(&list.filter);
        // Only those orders that tests look at.
        match list.order.by {
            Column::Label => all.sort_by_key(|row| (row.has_defect, row.capture)),
            Column::Name | Column::Time => {}
            other => return Err(format!("the sample does not sort by {}", other.as_str())),
        }
        if list.order.descending {
            all.reverse();
        }
        let at = |capture| all.iter().position(|row| row.capture == capture).expect("a row of the list");
        let (begin, end) = match place {
            Place::First => (0, limit),
            Place::After(capture) => (at(capture) + 1, at(capture) + 1 + limit),
            Place::Before(capture) => (at(capture).saturating_sub(limit), at(capture)),
            Place::Last => (all.len().saturating_sub(limit), all.len()),
        };
        let rows = all[begin.min(all.len())..end.min(all.len())].to_vec();
        Ok(Page { ends: rows.len() < limit, rows })
    }

    fn count(&mut self, filter: &Filter) -> Result<u64, String> {
        Ok(self.matching_rows(filter).len() as u64)
    }

    fn matching(&mut self, filter: &Filter, limit: usize) -> Result<Vec<Listed>, String> {
        let rows = self.matching_rows(filter).into_iter().take(limit);
        Ok(rows.map(|row| Listed { capture: row.capture, image: row.image, state: row.state }).collect())
    }

    fn heat(&mut self, _: &Filter, most: usize) -> Result<Heat, String> {
        Ok(production::heat(most))
    }

    fn views(&mut self) -> Result<Vec<SavedView>, String> {
        Ok(vec![SavedView {
            name: "lot 7 by name".into(),
            filter: "FT2 label:defect".into(),
            order: "name".into(),
            columns: "name,job,size".into(),
        }])
    }

    fn queue(&mut self, _: ReviewQueue, _: &str, limit: usize) -> Result<Vec<CaptureId>, String> {
        let done = (1..=self.newest).rev().filter(|id| self.row(*id).state == CaptureState::Done);
        Ok(done.map(CaptureId).take(limit).collect())
    }

    fn agreements(&mut self) -> Result<Vec<Agreement>, String> {
        Ok(vec![Agreement { first: "Ann".into(), second: "Bob".into(), counts: [20, 5, 10, 15] }])
    }

    fn trend(&mut self, limit: usize) -> Result<Trend, String> {
        Ok(production::trend(self.newest, limit))
    }

    fn jobs(&mut self, limit: usize) -> Result<Vec<Job>, String> {
        Ok(production::jobs(limit))
    }

    fn detail(&mut self, CaptureId(id): CaptureId) -> Result<Option<Detail>, String> {
        if id < 1 || id > self.newest {
            return Ok(None);
        }
        let row = self.row(id);
        let failed = row.state == CaptureState::Failed;
        Ok(Some(Detail {
            path: format!("/captures/{}", row.name),
            source_file: Some(format!("/captures/{}", row.name).into_bytes()),
            message: failed.then(|| "decode: the file ends in the middle of the picture".to_owned()),
            inspection: (!failed).then(|| inspection(&row)),
            pictures: vec![self.picture.clone()],
            former: (id == REINSPECTED).then(|| Box::new(production::before(&inspection(&row)))),
            reviews: self.reviews.iter().filter(|review| Some(review.image) == row.image).cloned().collect(),
            row,
        }))
    }
}

/// 640x480: ferrule, glass and core, a scratch and a pit.
fn end_face() -> GrayImage {
    GrayImage::from_fn(640, 480, |x, y| {
        let (dx, dy) = (f64::from(x) - 330.0, f64::from(y) - 230.0);
        let radius = dx.hypot(dy);
        let scratch = (dy - 0.5 * dx + 20.0).abs() < 2.0 && (60.0..240.0).contains(&dx);
        let pit = (dx + 70.0).hypot(dy - 40.0) < 9.0;
        Luma([match radius {
            _ if scratch => 60,
            _ if pit => 20,
            0.0..14.0 => 235,
            14.0..160.0 => 95,
            _ => 185,
        }])
    })
}

fn inspection(row: &Row) -> Inspection {
    let outline =
        |radius, confidence| Outline { cx: 330.0, cy: 230.0, ax: radius, by: radius, angle_deg: 0.0, confidence };
    let defective = row.has_defect == Some(true);
    Inspection {
        image_id: row.image.expect("an image"),
        width: 640,
        height: 480,
        um_per_px: Some(125.0 / 320.0),
        zones: Zones {
            core: Some(outline(14.0, 0.91)),
            cladding: Some(outline(160.0, 0.98)),
            adhesive: None,
            ferrule: Some(outline(320.0, 0.98)),
        },
        defects: if defective { defects(row) } else { Vec::new() },
        has_defect: row.has_defect,
        quality: Quality { score: Some(84.0), focus: Some(0.81), flags: Vec::new() },
        verdict: Verdict {
            profile: Some("sm-pc-panduit".into()),
            overall: row.verdict.unwrap_or(Outcome::NotGraded),
            failed: if defective { vec![format!("cladding: {SCRATCH_RULE}")] } else { Vec::new() },
            zones: zone_verdicts(row),
            reason: String::new(),
        },
        features: vec![
            feature("core", "mean", 235.0, "gray"),
            feature("cladding", "mean", 95.2, "gray"),
            feature("cladding", "grad_std", 0.0217, "gray/px"),
        ],
        histograms: vec![production::gray_levels()],
        incomplete: if row.incomplete {
            vec![Missing { plugin: "detect-scratch 1.0.0".into(), reason: "it crashed twice on this capture".into() }]
        } else {
            Vec::new()
        },
        ms: Timings { decode: 5.1, segment: 2.0, detect: 6.3, measure: 1.2, grade: 0.1, artefacts: 3.4 },
    }
}

const SCRATCH_RULE: &str = "no scratch wider than 3 µm: found 1, up to 4.2 µm";

fn zone_verdicts(row: &Row) -> Vec<ZoneVerdict> {
    let Some(overall) = row.verdict else { return Vec::new() };
    let verdicts = ZoneName::ALL.iter().map(|&zone| {
        let failed = zone == ZoneName::Cladding && overall == Outcome::Fail;
        let (outcome, rule) = if failed { (Outcome::Fail, SCRATCH_RULE) } else { (Outcome::Pass, "") };
        ZoneVerdict { zone, outcome, rule: rule.into(), defects: Vec::new() }
    });
    verdicts.collect()
}

fn defects(row: &Row) -> Vec<Defect> {
    let defect = |number: u32, kind, severity, bbox: [u32; 4], zone, mask: Vec<[u32; 3]>| Defect {
        id: format!("{}-{number}", row.image.expect("an image")),
        kind,
        severity,
        confidence: 0.97 - 0.11 * f64::from(number),
        bbox,
        x: f64::from(bbox[0]) + f64::from(bbox[2]) / 2.0,
        y: f64::from(bbox[1]) + f64::from(bbox[3]) / 2.0,
        area_px: mask.iter().map(|run| run[2]).sum(),
        length_px: f64::from(bbox[2]),
        width_px: 4.0,
        angle_deg: 26.6,
        zone: Some(zone),
        plugin: "detect-scratch 1.0.0".into(),
        parts: Vec::new(),
        mask,
    };
    let scratch = (240..331).map(|y| [y, 330 + 2 * (y - 210), 4]).collect();
    let pit = (261..280).map(|y| [y, 251, 18]).collect();
    vec![
        defect(1, DefectKind::Scratch, Severity::High, [390, 240, 182, 91], ZoneName::Cladding, scratch),
        defect(2, DefectKind::Pit, Severity::Medium, [251, 261, 18, 18], ZoneName::Cladding, pit),
        defect(3, DefectKind::Particle, Severity::Negligible, [560, 60, 9, 9], ZoneName::Ferrule, Vec::new()),
    ]
}

fn feature(region: &str, name: &str, value: f64, unit: &str) -> Feature {
    Feature {
        region: region.into(),
        name: name.into(),
        value,
        unit: unit.into(),
        plugin: "measure-intensity 1.0.0".into(),
    }
}

/// A workbench with its dataset; the folder goes with it.
pub struct Bench {
    pub headless: Headless,
    pub size: Size,
    folder: TempDir,
}

impl Bench {
    /// The file that every capture shows.
    pub fn picture(&self) -> PathBuf {
        self.folder.path().join("endface.png")
    }

    /// The same rows once more.
    pub fn rows(&self) -> SampleRows {
        SampleRows { newest: 1199, picture: self.picture(), prefix: String::new(), reviews: Vec::new() }
    }

    pub fn new(size: Size, colours: Colours) -> Self {
        Self::with(size, colours, true, "", None)
    }

    /// With keys of a person's own.
    pub fn with_keys(size: Size, keys: KeyMap) -> Self {
        Self::made(size, (Colours::Palette256, true), "", None, keys)
    }

    /// With a program for files, and an engine.
    pub fn with_program(size: Size, program: &[&str]) -> Self {
        let bench = Self::new(size, Colours::Palette256);
        let open = program.iter().map(|word| (*word).to_owned()).collect();
        let setup = Setup { open, ..Self::setup(size, Colours::Palette256, true, None) };
        let headless = Headless::new(setup, Box::new(bench.rows()), Box::new(SampleRuns { epochs: 6 }));
        let mut bench = Self { headless, ..bench };
        bench.connect();
        bench
    }

    pub fn with(size: Size, colours: Colours, utf8: bool, prefix: &str, at_logout: Option<&str>) -> Self {
        Self::made(size, (colours, utf8), prefix, at_logout, KeyMap::default())
    }

    fn made(size: Size, (colours, utf8): (Colours, bool), prefix: &str, at_logout: Option<&str>, keys: KeyMap) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let picture = folder.path().join("endface.png");
        end_face().save(&picture).expect("a picture");
        let setup = Setup { keys, ..Self::setup(size, colours, utf8, at_logout) };
        let rows =
            SampleRows { newest: 1199, picture, prefix: crate::workbench::plain::clean(prefix), reviews: others() };
        Self { headless: Headless::new(setup, Box::new(rows), Box::new(SampleRuns { epochs: 6 })), size, folder }
    }

    fn setup(size: Size, colours: Colours, utf8: bool, at_logout: Option<&str>) -> Setup {
        Setup {
            workspace: "demo".into(),
            theme: Theme::new(colours, utf8),
            keys: KeyMap::default(),
            mouse: true,
            open: Vec::new(),
            zone: TimeZone::UTC,
            at_logout: at_logout.map(str::to_owned),
            reviewer: Some("Ann".into()),
            user: Some("ann".into()),
            size,
            now: || Timestamp::from_second(1_790_000_500).expect("a time"),
        }
    }

    /// As somebody whose name is not known yet.
    pub fn nameless(size: Size) -> Self {
        let bench = Self::new(size, Colours::Palette256);
        let setup = Setup { reviewer: None, ..Self::setup(size, Colours::Palette256, true, None) };
        let rows = SampleRows { newest: 1199, picture: bench.picture(), prefix: String::new(), reviews: others() };
        let headless = Headless::new(setup, Box::new(rows), Box::new(SampleRuns { epochs: 6 }));
        let mut bench = Self { headless, ..bench };
        bench.connect();
        bench
    }

    /// Connected, with the engine's status.
    pub fn running(size: Size, colours: Colours) -> Self {
        let mut bench = Self::new(size, colours);
        bench.connect();
        bench
    }

    pub fn connect(&mut self) {
        self.feed(FromEngine::Connected);
        let answer = Answer::Status(Box::new(status()));
        self.feed(FromEngine::Answer { request: Request::Subscribe, answer });
    }

    pub fn feed(&mut self, said: FromEngine) -> bool {
        self.headless.feed(Event::Engine(said))
    }

    /// Presses keys: characters, or names in angle brackets.
    pub fn press(&mut self, keys: &str) -> bool {
        let mut changed = false;
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let (code, modifiers, taken) = match rest.strip_prefix('<').and_then(|named| named.split_once('>')) {
                Some((name, _)) => (
                    named(name),
                    if name.starts_with("C-") { KeyModifiers::CONTROL } else { KeyModifiers::NONE },
                    name.len() + 2,
                ),
                None => (KeyCode::Char(first), KeyModifiers::NONE, first.len_utf8()),
            };
            changed |= self.headless.feed(Event::Input(Terminal::Key(KeyEvent::new(code, modifiers))));
            rest = &rest[taken..];
        }
        changed
    }

    pub fn buffer(&self) -> Buffer {
        self.headless.draw(self.size)
    }

    pub fn text(&self) -> String {
        text(&self.buffer())
    }
}

pub fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let line = |y| (area.left()..area.right()).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (area.top()..area.bottom()).map(|y| line(y).trim_end().to_owned() + "\n").collect()
}

fn named(name: &str) -> KeyCode {
    match name {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "End" => KeyCode::End,
        "Home" => KeyCode::Home,
        "Tab" => KeyCode::Tab,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "Backspace" => KeyCode::Backspace,
        "F5" => KeyCode::F(5),
        "C-t" => KeyCode::Char('t'),
        "PgDn" => KeyCode::PageDown,
        "PgUp" => KeyCode::PageUp,
        "C-c" => KeyCode::Char('c'),
        "C-l" => KeyCode::Char('l'),
        "C-u" => KeyCode::Char('u'),
        other => panic!("no key {other}"),
    }
}
