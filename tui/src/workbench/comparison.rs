//! What two builds of a plug-in said of the same captures, read on a thread of its own: a task that tells how far it is and
//! can be ended. Only reads.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;
use ferrule_core::{
    compare::{OfBuild, Report, stored_builds},
    filter::Filter,
    ids::{BuildHash, CaptureId, ImageId, PluginId},
    store::{Reader, StoreError},
    workspace::DatasetPaths,
};

use super::{event::Event, jobs::slot::Replaceable, plain::clean, text};

/// Captures that are compared where none is marked: some seconds' reading.
const MOST_COMPARED: usize = 2_000;
/// Captures that are listed as differing most.
const MOST_DIFFERING: usize = 200;
/// Between two words about how far it is.
const PAUSE: Duration = Duration::from_millis(150);

/// Two builds of a plug-in, the former first, and the pictures to compare them on; none for the newest.
#[derive(Debug, Clone)]
pub struct Compare {
    /// Tells answers to older questions apart.
    pub number: u64,
    pub plugin: PluginId,
    pub builds: [BuildHash; 2],
    pub images: Vec<ImageId>,
    /// Set when it is to end.
    pub stop: Arc<AtomicBool>,
}

/// What came of it.
#[derive(Debug)]
pub struct BuildComparison {
    pub report: Report,
    /// Of each picture that is listed as differing.
    pub captures: Vec<Option<CaptureId>>,
    /// Which captures were compared, where nobody chose them.
    pub remark: Option<String>,
}

/// The answer to the question of that number.
#[derive(Debug)]
pub struct ComparisonAnswer {
    pub number: u64,
    pub plugin: PluginId,
    pub word: Word,
}

/// How a comparison stands.
#[derive(Debug)]
pub enum Word {
    /// So many pictures of so many are read.
    Reading(u64, u64),
    Compared(Box<BuildComparison>),
    /// A person ended it.
    Cancelled,
    /// Why not, in one line.
    Failed(String),
}

impl Replaceable for Compare {
    fn kind(&self) -> u8 {
        0
    }

    fn urgent(&self) -> bool {
        true
    }
}

/// Answers from a dataset; tells through `events` how far it is.
pub fn answering(paths: DatasetPaths, events: Sender<Event>) -> impl FnMut(Compare) -> Event + Send + 'static {
    move |wanted| {
        let answer =
            |word| Event::Comparison(ComparisonAnswer { number: wanted.number, plugin: wanted.plugin.clone(), word });
        let mut told = Instant::now();
        let mut tell = |done: u64, all: u64| {
            if told.elapsed() >= PAUSE {
                told = Instant::now();
                let _ = events.send(answer(Word::Reading(done, all)));
            }
            !wanted.stop.load(Ordering::Relaxed)
        };
        answer(match compare(&paths, &wanted, &mut tell) {
            Ok(it) if it.report.interrupted => Word::Cancelled,
            Ok(it) => Word::Compared(Box::new(it)),
            Err(error) => Word::Failed(clean(&error.to_string())),
        })
    }
}

fn compare(
    paths: &DatasetPaths,
    wanted: &Compare,
    tell: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<BuildComparison, StoreError> {
    let reader = Reader::open(paths)?;
    let (images, remark): (BTreeSet<ImageId>, _) = if wanted.images.is_empty() {
        let newest = reader.captures_matching(&Filter::default(), MOST_COMPARED)?;
        (newest.into_iter().filter_map(|capture| capture.image).collect(), Some(text::compared_newest(MOST_COMPARED)))
    } else {
        (wanted.images.iter().copied().collect(), None)
    };
    let of = |build| OfBuild { plugin: &wanted.plugin, build };
    let builds = [of(&wanted.builds[0]), of(&wanted.builds[1])];
    let compared = stored_builds(&reader, paths, builds, Some(&images), MOST_DIFFERING, tell)?;
    let captures = compared.report.most.iter().map(|it| reader.capture_of(&it.file)).collect::<Result<_, _>>()?;
    Ok(BuildComparison { report: compared.report, captures, remark })
}
