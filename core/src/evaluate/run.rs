//! Runs the pipeline over the pictures of a truth file and scores each answer as it comes; keeps scores, and of the
//! pictures themselves only the worst.

use std::{
    cmp::Reverse,
    collections::{HashMap, hash_map::Entry},
    path::{Path, PathBuf},
};

use crossbeam_channel::Receiver;

use super::{
    picture::PictureScore,
    report::{Figures, NotScored, Pictures, Report, Worst},
    truth::{TrueImage, Truth},
};
use crate::{
    inspect::{self, Answered, Batch, InspectError},
    names,
    report::Inspection,
};

/// What to score, and with what.
#[derive(Debug)]
pub struct Task {
    pub batch: Batch,
    pub truth: Truth,
    /// The file that `truth` was read from.
    pub file: PathBuf,
    pub folders: Folders,
    /// How many of the worst pictures are kept.
    pub worst: usize,
}

/// Where pictures are looked for: the first folder that has one of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders(Vec<PathBuf>);

/// What came of it.
#[derive(Debug)]
pub struct Evaluation {
    pub report: Report,
    /// In the order of the report's.
    pub worst: Vec<WorstPicture>,
}

/// A picture that went wrong, with all that is needed to draw it.
#[derive(Debug)]
pub struct WorstPicture {
    pub path: PathBuf,
    pub image: TrueImage,
    pub inspection: Inspection,
    pub score: PictureScore,
}

/// Who listens while it runs.
pub trait Listener {
    /// So many pictures are through.
    fn progress(&mut self, done: u64, of: u64);
    /// A line about something other than a picture: a worker that died, a plug-in set aside.
    fn remark(&mut self, remark: &str);
}

impl Folders {
    /// Only this one.
    #[must_use]
    pub fn only(folder: PathBuf) -> Self {
        Self(vec![folder])
    }

    /// As tools write truth files: `captures.truth.json` beside `captures`, or among its pictures, or beside `images`.
    #[must_use]
    pub fn beside(truth: &Path) -> Self {
        let folder = truth.parent().unwrap_or(Path::new("")).to_owned();
        let name = truth.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stem = name.strip_suffix(".truth.json").filter(|stem| !stem.is_empty());
        let named = stem.map(|stem| folder.join(stem));
        Self(named.into_iter().chain([folder.clone(), folder.join("images")]).collect())
    }

    /// The picture's path.
    fn find(&self, name: &str) -> Result<PathBuf, String> {
        let found = self.0.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        found.ok_or_else(|| {
            let looked: Vec<String> = self.0.iter().map(|folder| names::display(folder)).collect();
            format!("there is no such picture in {}", looked.join(", "))
        })
    }
}

/// Scores every picture of the truth. A message on `stop` ends it after what is in hand.
///
/// # Errors
/// No worker. A picture that cannot be inspected is a line of the report.
pub fn run(task: Task, stop: &Receiver<()>, listener: &mut dyn Listener) -> Result<Evaluation, InspectError> {
    let Task { batch, truth, file, folders, worst } = task;
    let pipeline = batch.pipeline.id.clone();
    let listed = truth.images.len() as u64;
    let (mut places, mut paths, mut failed) = (HashMap::new(), Vec::new(), Vec::new());
    for (place, image) in truth.images.iter().enumerate() {
        match folders.find(&image.name) {
            Ok(path) => match places.entry(path) {
                Entry::Occupied(_) => failed.push((place, "another record names the same file".to_owned())),
                Entry::Vacant(free) => {
                    paths.push(free.key().clone());
                    free.insert(place);
                }
            },
            Err(error) => failed.push((place, error)),
        }
    }
    let missing = failed.len() as u64;
    let counts = Pictures { listed, missing, ..Pictures::default() };
    let mut scorer = Scorer {
        images: truth.images,
        places,
        of: paths.len() as u64,
        keep: worst,
        counts,
        scores: Vec::new(),
        worst: Vec::new(),
        failed,
        remarks: truth.remarks,
        listener,
    };
    // Without a picture there is no need of a worker.
    let interrupted = !paths.is_empty() && inspect::run(batch, paths, stop, &mut scorer)?.interrupted;
    scorer.cut();
    let Scorer { images, counts, scores, worst, mut failed, remarks, .. } = scorer;
    failed.sort_by_key(|(place, _)| *place);
    let name = |place: usize| images.get(place).map(|image: &TrueImage| names::visible(&image.name).into_owned());
    let report = Report {
        truth: names::display(&file),
        pipeline,
        pictures: counts,
        figures: Figures::of(scores),
        worst: worst.iter().map(|picture| Worst::of(&picture.score)).collect(),
        failed: failed
            .into_iter()
            .map(|(place, error)| NotScored { file: name(place).unwrap_or_default(), error })
            .collect(),
        faults: truth.faults,
        remarks,
        interrupted,
    };
    Ok(Evaluation { report, worst })
}

struct Scorer<'a> {
    images: Vec<TrueImage>,
    /// By path.
    places: HashMap<PathBuf, usize>,
    of: u64,
    keep: usize,
    counts: Pictures,
    scores: Vec<PictureScore>,
    worst: Vec<WorstPicture>,
    failed: Vec<(usize, String)>,
    remarks: Vec<String>,
    listener: &'a mut dyn Listener,
}

impl Scorer<'_> {
    fn take(&mut self, answer: &Answered) {
        let Some(place) = self.places.get(&answer.path).copied() else { return };
        let Some(image) = self.images.get(place) else { return };
        let inspection = match &answer.result {
            Ok(found) if (found.width, found.height) != (image.width, image.height) => {
                let (width, height) = (image.width, image.height);
                let error = format!(
                    "the truth is of a picture of {width} x {height} pixels, this one has {} x {}",
                    found.width, found.height
                );
                self.counts.missing += 1;
                self.failed.push((place, error));
                return;
            }
            Ok(found) => Some(found),
            Err(failure) => {
                self.counts.failed += 1;
                self.failed.push((place, failure.to_string()));
                None
            }
        };
        self.counts.scored += 1;
        let score = PictureScore::of(image, inspection);
        if let Some(inspection) = inspection.filter(|_| self.keep > 0 && score.badness() > 0) {
            let (path, image, inspection) = (answer.path.clone(), image.clone(), inspection.clone());
            self.worst.push(WorstPicture { path, image, inspection, score: score.clone() });
            if self.worst.len() >= 2 * self.keep {
                self.cut();
            }
        }
        self.scores.push(score);
    }

    /// Lets go of all but the worst.
    fn cut(&mut self) {
        self.worst.sort_by(|a, b| {
            Reverse(a.score.badness()).cmp(&Reverse(b.score.badness())).then_with(|| a.score.name.cmp(&b.score.name))
        });
        self.worst.truncate(self.keep);
    }
}

impl inspect::Listener for Scorer<'_> {
    fn answer(&mut self, answer: &Answered) -> bool {
        self.take(answer);
        let through = self.counts.scored + self.failed.len() as u64 - self.counts.failed;
        self.listener.progress(through.min(self.of), self.of);
        true
    }

    fn remark(&mut self, remark: &str) {
        self.remarks.push(remark.to_owned());
        self.listener.remark(remark);
    }
}
