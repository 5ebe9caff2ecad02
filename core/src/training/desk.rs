//! The training worker's side: the feed made, the plug-in loaded, its events sent, a person's wishes handed to it.
//!
//! Called by [`crate::worker::child`] while the process has one thread.

use std::{
    cell::RefCell,
    ffi::c_void,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    rc::Rc,
    sync::Mutex,
    time::{Duration, Instant},
};

use ferrule_abi as abi;

use super::{
    feed,
    order::{FromTraining, Order, Outcome, Said, Steer},
    samples::are_left_out,
};
use crate::{
    host::loader::Library,
    worker::{
        arguments::Limits,
        frames::{MAX_ANSWER, read_frame, write_frame},
        line::Line,
        messages::{FromWorker, ToWorker},
    },
};

/// Broken pictures that are named.
const MOST_NAMED: usize = 20;
/// Between two words about the feed.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs the training to its end and sends what comes of it.
///
/// # Errors
/// The line is broken: nobody is there any more.
pub fn train(
    order: &Order,
    limits: &Limits,
    line: &Rc<RefCell<Line>>,
) -> Result<(), crate::worker::frames::FrameError> {
    keep_pages();
    let ended = run(order, limits, line);
    let message = FromWorker::Training(Box::new(FromTraining::Ended(ended)));
    write_frame(&mut *line.borrow_mut(), &message)
}

fn run(order: &Order, limits: &Limits, line: &Rc<RefCell<Line>>) -> Result<Outcome, String> {
    let desk = Desk { line: Rc::clone(line), wish: RefCell::new(Steer::GoOn) };
    let filled = make_feed(order, limits, &desk)?;
    let samples = samples(order, &filled);
    let library = Library::load(&order.library).map_err(|error| format!("the library {error}"))?;
    let parameters: Vec<abi::Parameter> = order.parameters.iter().map(|(name, value)| parameter(name, value)).collect();
    let mut plugin = library.create(&order.plugin, &parameters)?;
    let json = |value: serde_json::Result<String>| value.unwrap_or_default();
    let setting =
        |name: &str, value: String| abi::Parameter { name: name.into(), value: abi::Value::Text(value.into()) };
    let settings = [
        setting("feed", order.feed.to_string_lossy().into_owned()),
        setting("classes", json(serde_json::to_string(&order.classes))),
        setting("input", json(serde_json::to_string(&order.input))),
        setting("weights", order.weights.as_ref().map_or_else(String::new, |path| path.to_string_lossy().into_owned())),
    ];
    let resume = order.resume.as_ref().map(|path| path.as_os_str().as_bytes());
    let request = abi::TrainRequest {
        samples: samples.as_slice().into(),
        settings: settings.as_slice().into(),
        folder: order.folder.as_os_str().as_bytes().into(),
        resume: resume.map(abi::RSlice::from).into(),
    };
    let context = std::ptr::from_ref(&desk).cast_mut().cast::<c_void>();
    // SAFETY: the desk outlives the call, and `hear` takes it for what it is.
    let progress = unsafe { abi::Progress::new(context, hear) };
    let report = plugin.train(&request, progress)?;
    let values = report.values.iter().map(|value| (value.name.to_string(), (&value.value).into())).collect();
    Ok(Outcome { word: report.outcome.to_string(), values })
}

fn parameter(name: &str, value: &crate::worker::messages::ParameterValue) -> abi::Parameter {
    abi::Parameter { name: name.into(), value: value.into() }
}

fn make_feed(order: &Order, limits: &Limits, desk: &Desk) -> Result<Vec<feed::Filled>, String> {
    // Threads report; this one has the line, and sends when they are through.
    let remarks = Mutex::new(Vec::new());
    let told = Mutex::new(Instant::now());
    let (sender, progress) = std::sync::mpsc::channel();
    let all = order.pictures.len();
    let (kept, told) = (&remarks, &told);
    let made = std::thread::scope(|scope| {
        let making = scope.spawn(|| {
            let said = move |done: usize, remark: Option<String>| {
                if let (Some(remark), Ok(mut remarks)) = (remark, kept.lock()) {
                    remarks.push(remark);
                }
                if let Ok(mut told) = told.lock()
                    && told.elapsed() > PAUSE
                {
                    *told = Instant::now();
                    let _ = sender.send(done);
                }
            };
            let made = feed::make(order, limits, &said);
            drop(said);
            made
        });
        for done in progress {
            desk.tell(Said { name: "feed".into(), batch: done as u32, batches: all as u32, ..Said::default() });
        }
        making.join()
    });
    let made = made.map_err(|_| "a thread that makes the feed panicked".to_owned())?;
    let filled = made.map_err(|error| {
        let name = crate::names::display(&order.feed);
        format!("{name}: {error}; the feed of training pictures needs room on that disk")
    })?;
    let remarks = remarks.into_inner().unwrap_or_default();
    let left_out = filled.iter().filter(|items| items.iter().all(Option::is_none)).count();
    for message in told_of(remarks, left_out) {
        desk.tell(Said { name: "warning".into(), message, ..Said::default() });
    }
    Ok(filled)
}

/// Pictures that nothing is learned from, the first of them by name; by number alone where an earlier run made the feed.
fn told_of(mut remarks: Vec<String>, left_out: usize) -> Vec<String> {
    if remarks.is_empty() && left_out > 0 {
        return vec![format!("{}: they could not be read when their feed was made", are_left_out(left_out as u64))];
    }
    let more = remarks.len().saturating_sub(MOST_NAMED);
    remarks.truncate(MOST_NAMED);
    if more > 0 {
        remarks.push(format!("{more} more pictures are left out"));
    }
    remarks
}

fn samples(order: &Order, filled: &[feed::Filled]) -> Vec<abi::Sample> {
    let each = feed::items_each(order.task);
    let mut samples = Vec::new();
    for (place, (picture, filled)) in order.pictures.iter().zip(filled).enumerate() {
        for (number, class) in filled.iter().enumerate() {
            let Some(class) = class else { continue };
            let label = |name: &str, value: usize| abi::Attribute {
                name: name.into(),
                value: abi::Value::Integer(value as i64),
            };
            samples.push(abi::Sample {
                path: picture.path.as_os_str().as_bytes().to_vec().into(),
                image_id: picture.image.as_str().into(),
                split: picture.split.as_str().into(),
                labels: vec![label("item", place * each + number), label("class", *class)].into(),
                masks: abi::RVec::new(),
                zones: picture.zones.clone().into(),
            });
        }
    }
    samples
}

/// The line, and the last wish that came over it.
struct Desk {
    line: Rc<RefCell<Line>>,
    wish: RefCell<Steer>,
}

impl Desk {
    fn tell(&self, said: Said) {
        let message = FromWorker::Training(Box::new(FromTraining::Said(said)));
        if write_frame(&mut *self.line.borrow_mut(), &message).is_err() {
            self.wish.replace(Steer::StopNow);
        }
    }

    /// Takes what has arrived, without waiting.
    fn listen(&self) {
        let mut line = self.line.borrow_mut();
        while line.has_arrived() {
            match read_frame(&mut *line, MAX_ANSWER) {
                Ok(ToWorker::Steer(steer)) => {
                    self.wish.replace(steer);
                }
                // Whoever ordered the training is gone, or speaks of something else.
                Ok(_) | Err(_) => {
                    self.wish.replace(Steer::StopNow);
                    return;
                }
            }
        }
    }
}

extern "C" fn hear(context: *mut c_void, event: &abi::TrainEvent) -> abi::Control {
    // SAFETY: `run` gave a desk that lives as long as the call into the plug-in, which runs on this thread.
    let desk = unsafe { &*context.cast::<Desk>() };
    desk.tell(Said {
        name: event.name.to_string(),
        epoch: event.epoch,
        batch: event.batch,
        batches: event.batches,
        values: event.values.iter().map(|value| (value.name.to_string(), (&value.value).into())).collect(),
        message: event.message.to_string(),
    });
    desk.listen();
    let wish = *desk.wish.borrow();
    wish.into()
}

/// Keeps the allocator from giving big buffers back and asking for them anew at each step: half of a training step on a
/// processor is page faults otherwise. Before any thread, and here only: other workers want small memory.
fn keep_pages() {
    // SAFETY: plain settings of the C library's allocator.
    let set = unsafe {
        [
            libc::mallopt(libc::M_ARENA_MAX, 1),
            libc::mallopt(libc::M_MMAP_MAX, 0),
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX),
        ]
    };
    if set.contains(&0) {
        let _ = writeln!(io::stderr(), "the allocator takes no settings: training will be slower");
    }
}
