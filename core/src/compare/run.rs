//! Runs two pipelines side by side over the same files and pairs their answers as they come. Nothing is stored.

use std::{path::PathBuf, thread};

use crossbeam_channel::{Receiver, Sender, bounded, never, select, unbounded};

use super::{
    report::Side,
    tally::{Comparison, Tally},
};
use crate::{
    inspect::{self, Answered, Batch, InspectError, Summary},
    report::Inspection,
};

/// Answers that may wait for the other side.
const AHEAD: usize = 64;

/// What to compare.
#[derive(Debug)]
pub struct Both {
    pub batches: [Batch; 2],
    pub sides: [Side; 2],
    pub files: Vec<PathBuf>,
    /// How many of the pictures that differ most are kept.
    pub keep: usize,
}

/// Who listens while it runs.
pub trait Listener {
    /// So many pictures are through both.
    fn progress(&mut self, done: u64);
    /// A line about something other than a picture: a worker that died, a plug-in set aside.
    fn remark(&mut self, remark: &str);
}

/// What a side's thread says.
enum Word {
    Answer(Box<Answered>),
    Remark(String),
}

/// Compares. A message on `stop` ends it after what is in hand.
///
/// # Errors
/// One of the two has no worker. A picture that cannot be inspected is a line of the report.
pub fn run(both: Both, stop: &Receiver<()>, listener: &mut dyn Listener) -> Result<Comparison, InspectError> {
    let Both { batches, sides, files, keep } = both;
    let mut tally = Tally::keeping(keep);
    let mut remarks = Vec::new();
    let ends = thread::scope(|scope| {
        let [batch_a, batch_b] = batches;
        let (a, ending_a, end_a) = side(scope, "compare-a", batch_a, files.clone());
        let (b, ending_b, end_b) = side(scope, "compare-b", batch_b, files);
        let mut zip = Zip { a, b, remarks: &mut remarks, listener };
        let mut done = 0;
        let mut stop = stop.clone();
        while let Some([first, second]) = zip.next(&mut stop, [&ending_a, &ending_b]) {
            take(&mut tally, *first, *second);
            done += 1;
            zip.listener.progress(done);
        }
        // Whoever still has answers finds nobody to tell, and ends.
        drop(zip);
        [end_a, end_b].map(|end| end.recv().unwrap_or(Err(InspectError::PoolGone)))
    });
    let [a, b] = ends;
    let interrupted = [a?, b?].iter().any(|summary| summary.interrupted);
    Ok(tally.end(sides, remarks, interrupted))
}

type Started = (Receiver<Word>, Sender<()>, Receiver<Result<Summary, InspectError>>);

/// One side in a thread of its own.
fn side<'scope>(scope: &'scope thread::Scope<'scope, '_>, name: &str, batch: Batch, files: Vec<PathBuf>) -> Started {
    let (told, words) = bounded(AHEAD);
    let (ending, asked) = unbounded();
    let (end, ended) = bounded(1);
    let body = {
        let end = end.clone();
        move || {
            let summary = inspect::run(batch, files, &asked, &mut Teller(told));
            // The other end waits for it, or has given up.
            let _ = end.send(summary);
        }
    };
    if let Err(error) = thread::Builder::new().name(name.into()).spawn_scoped(scope, body) {
        let _ = end.send(Err(InspectError::Thread(error)));
    }
    (words, ending, ended)
}

struct Teller(Sender<Word>);

impl inspect::Listener for Teller {
    fn answer(&mut self, answer: &Answered) -> bool {
        let Answered { path, image_id, result } = answer;
        let answer = Answered { path: path.clone(), image_id: *image_id, result: result.clone() };
        self.0.send(Word::Answer(Box::new(answer))).is_ok()
    }

    fn remark(&mut self, remark: &str) {
        let _ = self.0.send(Word::Remark(remark.to_owned()));
    }
}

struct Zip<'a> {
    a: Receiver<Word>,
    b: Receiver<Word>,
    remarks: &'a mut Vec<String>,
    listener: &'a mut dyn Listener,
}

impl Zip<'_> {
    /// The next picture's two answers; `None` once one side has no more.
    fn next(&mut self, stop: &mut Receiver<()>, ending: [&Sender<()>; 2]) -> Option<[Box<Answered>; 2]> {
        let (mut first, mut second) = (None, None);
        let nobody = never();
        loop {
            if first.is_some() && second.is_some() {
                return Some([first?, second?]);
            }
            // A side that is ahead waits: its channel is full soon.
            let from_a = if first.is_none() { &self.a } else { &nobody };
            let from_b = if second.is_none() { &self.b } else { &nobody };
            select! {
                recv(from_a) -> word => self.hear("a", word.ok()?, &mut first),
                recv(from_b) -> word => self.hear("b", word.ok()?, &mut second),
                recv(stop) -> asked => match asked {
                    Ok(()) => ending.iter().for_each(|side| { let _ = side.send(()); }),
                    Err(_) => *stop = never(),
                }
            }
        }
    }

    fn hear(&mut self, side: &str, word: Word, answer: &mut Option<Box<Answered>>) {
        match word {
            Word::Answer(said) => *answer = Some(said),
            Word::Remark(remark) => {
                let remark = format!("{side}: {remark}");
                self.listener.remark(&remark);
                self.remarks.push(remark);
            }
        }
    }
}

fn take(tally: &mut Tally, a: Answered, b: Answered) {
    let file = a.shown();
    if a.path != b.path || a.image_id != b.image_id {
        let changed = "the file changed between the two";
        return tally.fail(file, Some(changed.into()), Some(changed.into()));
    }
    match (a.result, b.result) {
        (Ok(first), Ok(second)) => {
            let inspections: [Inspection; 2] = [first, second];
            tally.take(file, a.path, inspections);
        }
        (first, second) => {
            let word = |result: Result<Inspection, crate::report::Failure>| result.err().map(|error| error.to_string());
            tally.fail(file, word(first), word(second));
        }
    }
}
