//! A reference of clean end faces, made from captures that a person has marked: a task on a thread of its own, which tells
//! how far it is and can be ended. Writes one file, beside the workspace's models.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender};
use ferrule_core::{ids::ImageId, store::Reader, workspace::DatasetPaths};

use super::{event::Event, jobs::slot::Replaceable, plain::clean, text};

/// Between two words about how far it is.
const PAUSE: Duration = Duration::from_millis(150);

/// The pictures of it.
#[derive(Debug, Clone)]
pub struct MakeReference {
    /// Tells answers apart.
    pub number: u64,
    pub images: Vec<ImageId>,
    /// Says something when it is to end.
    pub stop: Receiver<()>,
}

/// What a reference is made from, and where to.
pub struct Learning<'a> {
    pub pictures: Vec<PathBuf>,
    pub out: &'a Path,
    pub stop: &'a Receiver<()>,
    /// Told how many pictures are done.
    pub progress: &'a mut dyn FnMut(u64),
}

/// Makes a reference; how many pictures were used and how many left out, or one line why there is none.
pub type Learn = Box<dyn FnMut(Learning<'_>) -> Result<(usize, usize), String> + Send>;

/// How the reference of that number stands; texts are clean.
#[derive(Debug)]
pub struct ReferenceAnswer {
    pub number: u64,
    pub word: Word,
}

#[derive(Debug)]
pub enum Word {
    /// So many pictures of so many.
    Reading(u64, u64),
    Made(String),
    Failed(String),
}

impl Replaceable for MakeReference {
    fn kind(&self) -> u8 {
        0
    }

    fn urgent(&self) -> bool {
        true
    }
}

/// Answers for a workspace; tells through `events` how far it is.
pub fn answering(
    paths: DatasetPaths,
    root: PathBuf,
    mut learn: Learn,
    events: Sender<Event>,
) -> impl FnMut(MakeReference) -> Event + Send + 'static {
    move |wanted| {
        let answer = |word| Event::Reference(ReferenceAnswer { number: wanted.number, word });
        let all = wanted.images.len() as u64;
        let mut told = Instant::now();
        let mut progress = |done: u64| {
            if told.elapsed() >= PAUSE {
                told = Instant::now();
                let _ = events.send(answer(Word::Reading(done, all)));
            }
        };
        answer(match make(&paths, &root, &mut learn, &wanted, &mut progress) {
            Ok(line) => Word::Made(line),
            Err(message) => Word::Failed(clean(&message)),
        })
    }
}

fn make(
    paths: &DatasetPaths,
    root: &Path,
    learn: &mut Learn,
    wanted: &MakeReference,
    progress: &mut dyn FnMut(u64),
) -> Result<String, String> {
    let reader = Reader::open(paths).map_err(|error| error.to_string())?;
    let mut pictures = Vec::with_capacity(wanted.images.len());
    for image in &wanted.images {
        // The dataset's own copy: the source's file may have changed since.
        if let Some(name) = reader.image_name(*image).map_err(|error| error.to_string())? {
            pictures.push(paths.images().join(name));
        }
    }
    let folder = root.join("models");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let name = format!("clean-{}.reference", jiff::Zoned::now().strftime("%Y%m%d-%H%M%S"));
    let out = folder.join(&name);
    let (used, left_out) = learn(Learning { pictures, out: &out, stop: &wanted.stop, progress })?;
    Ok(text::reference_made(used, left_out, &format!("models/{name}")))
}
