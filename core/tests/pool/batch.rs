//! Batch inspection over the fake worker: order, files on disk, trouble.

use std::{fs, path::PathBuf};

use crossbeam_channel::{Receiver, never, unbounded};
use ferrule_core::{
    inspect::{self, Answered, Batch, InspectError, Line, Listener, Summary},
    worker::messages::Optics,
};

use crate::bench::{pipeline, settings};

#[derive(Default)]
struct Heard {
    answers: Vec<(PathBuf, Result<(), String>)>,
    lines: Vec<String>,
    remarks: Vec<String>,
    enough_after: Option<usize>,
}

impl Listener for Heard {
    fn answer(&mut self, answer: &Answered) -> bool {
        let result = answer.result.as_ref().map(|_| ()).map_err(ToString::to_string);
        self.answers.push((answer.path.clone(), result));
        self.lines.push(serde_json::to_string(&Line::of(answer)).unwrap());
        self.enough_after.is_none_or(|enough| self.answers.len() < enough)
    }

    fn remark(&mut self, remark: &str) {
        self.remarks.push(remark.into());
    }
}

fn batch(word: &str) -> Batch {
    Batch {
        pool: settings(3),
        pipeline: pipeline("d1", word),
        extensions: vec!["png".into()],
        optics: Optics::default(),
        sources: vec![],
        masks: None,
        overlay: None,
    }
}

fn run(batch: Batch, given: Vec<PathBuf>, stop: &Receiver<()>) -> (Heard, Result<Summary, InspectError>) {
    let mut heard = Heard::default();
    let summary = inspect::run(batch, given, stop, &mut heard);
    (heard, summary)
}

#[test]
fn answers_come_in_the_order_given_whatever_becomes_of_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let masks = folder.path().join("masks");
    let deeds =
        ["slow@det", "behave@det", "segv@decode", "once.abort@det", "segv@mea", "fail@seg", "slow@mea", "behave@det"];
    let mut names: Vec<PathBuf> = (0..40)
        .map(|n| {
            let path = folder.path().join(format!("{}#{n:02}.png", deeds[n % deeds.len()]));
            fs::write(&path, format!("capture {n}")).unwrap();
            path
        })
        .collect();
    names.insert(7, folder.path().join("gone.png"));
    names.push(PathBuf::from("/dev/null"));
    let (heard, summary) = run(Batch { masks: Some(masks.clone()), ..batch("") }, names.clone(), &never());
    let paths: Vec<_> = heard.answers.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(paths, names);
    // Two of eight deeds fail, and two files are none.
    let expected = Summary { answered: 42, failed: 12, incomplete: 5, interrupted: false };
    assert_eq!(summary.unwrap(), expected);
    for (path, result) in &heard.answers {
        let name = path.to_str().unwrap();
        let failed = ["segv@decode", "fail@seg", "gone", "null"].iter().any(|word| name.contains(word));
        assert_eq!(result.is_err(), failed, "{name}: {result:?}");
    }
    assert!(heard.remarks.iter().any(|remark| remark.contains("mea's turn") && remark.contains("SIGSEGV")));
    // All fakes say the same image.
    assert_eq!(fs::read_dir(masks).unwrap().count(), 1);
    // A picture that does not decode is still known by its content.
    let failed = heard.lines.iter().find(|line| line.contains("segv@decode")).unwrap();
    assert!(failed.contains(&ferrule_core::ids::ImageId::of(b"capture 2").to_string()), "{failed}");
}

#[test]
fn a_folder_is_streamed_and_a_listener_who_has_heard_enough_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..1000 {
        fs::write(folder.path().join(format!("{n:04}.png")), []).unwrap();
    }
    let mut heard = Heard { enough_after: Some(3), ..Heard::default() };
    let summary = inspect::run(batch(""), vec![folder.path().into()], &never(), &mut heard).unwrap();
    assert!(summary.interrupted);
    assert_eq!(heard.answers.len(), 3);
    let names: Vec<_> = heard.answers.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["0000.png", "0001.png", "0002.png"]);
}

#[test]
fn a_stop_finishes_what_is_in_hand() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..1000 {
        fs::write(folder.path().join(format!("slow@det#{n:04}.png")), []).unwrap();
    }
    let (stop, stopped) = unbounded();
    stop.send(()).unwrap();
    let (heard, summary) = run(batch(""), vec![folder.path().into()], &stopped);
    let summary = summary.unwrap();
    assert!(summary.interrupted && summary.failed == 0);
    assert!(summary.answered >= 1 && summary.answered < 1000, "{summary:?}");
    assert_eq!(heard.answers.len() as u64, summary.answered);
}

#[test]
fn a_pipeline_that_no_worker_loads_ends_the_batch_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.png"), []).unwrap();
    let (heard, summary) = run(batch("refuse"), vec![folder.path().into()], &never());
    let told = summary.unwrap_err().to_string();
    assert!(told.contains("det: it is too old"), "{told}");
    assert!(heard.answers.is_empty());
}

#[test]
fn a_folder_that_cannot_be_written_ends_the_batch_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), []).unwrap();
    let masks = Some(folder.path().join("file").join("masks"));
    let (_, summary) = run(Batch { masks, ..batch("") }, vec![], &never());
    assert!(matches!(summary, Err(InspectError::Write { .. })));
}
