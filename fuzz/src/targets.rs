//! What strangers can send: each function takes any bytes, and panics where a promise is broken. Compiled twice: for
//! libFuzzer, and among the tests, where a mutator of our own drives them from the same corpus.

use std::path::Path;

use ferrule_core::{
    config::Configuration,
    evaluate::Truth,
    filter::Filter,
    host::elf,
    pool::{Asked, check_answer},
    protocol::{ClientLine, EngineLine, MAX_LINE},
    training::{Crop, Imported, Input, Levels, Task, read_state_dict, with_card},
    worker::{
        frames::{Incoming, MAX_ANSWER},
        messages::FromWorker,
    },
};

/// A target by the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Target; 7] = [
    ("socket", socket),
    ("answer", answer),
    ("elf", elf),
    ("configuration", configuration),
    ("filter", filter),
    ("model", model),
    ("coco", coco),
];

/// A line from a client, and one from whoever answers at an engine's socket.
pub fn socket(data: &[u8]) {
    let line = &data[..data.len().min(MAX_LINE)];
    if let Ok(said) = serde_json::from_slice::<ClientLine>(line) {
        let again = serde_json::to_vec(&said).expect("what was read can be written");
        serde_json::from_slice::<ClientLine>(&again).expect("and read again");
    }
    if let Ok(said) = serde_json::from_slice::<EngineLine>(line) {
        serde_json::to_vec(&said).expect("what was read can be written");
    }
}

/// What comes over a worker's line, in pieces; an answer that passes the check keeps what the store builds on.
pub fn answer(data: &[u8]) {
    let mut incoming = Incoming::default();
    for mut piece in data.chunks(61) {
        if incoming.fill(&mut piece).is_err() {
            return;
        }
        loop {
            match incoming.next::<FromWorker>(MAX_ANSWER) {
                Ok(Some(FromWorker::Done(answer))) => {
                    let asked = Asked { job: answer.job, expected: None, artefacts: true, max_megapixels: 120.0 };
                    if check_answer(&asked, &answer).is_ok() {
                        for file in &answer.artefacts {
                            let path = Path::new("staging").join(&file.name);
                            assert_eq!(path.parent(), Some(Path::new("staging")), "{:?} leads elsewhere", file.name);
                        }
                        if let Ok(inspection) = &answer.result {
                            let pixels = u64::from(inspection.width) * u64::from(inspection.height);
                            for defect in &inspection.defects {
                                let drawn: u64 = defect.mask.iter().map(|[_, _, length]| u64::from(*length)).sum();
                                assert!(drawn <= pixels, "a mask larger than its picture");
                            }
                        }
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

/// A library's headers; the head alone never says more than the whole.
pub fn elf(data: &[u8]) {
    let whole = elf::check(data);
    let head = &data[..data.len().min(4096)];
    if whole.is_ok() && head.len() >= 64 {
        elf::check_head(head, data.len() as u64).expect("the head of a sound library is sound");
    }
}

/// A `ferrule.toml`; each mistake is one line that nothing in it can break.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Configuration::of(text, Path::new("ferrule.toml"), Path::new("/lab")) {
        Ok(read) => {
            let settings = &read.settings;
            assert!(settings.sources.iter().all(|source| source.path.is_absolute()), "{settings:?}");
            assert!(settings.dataset.path.is_absolute());
        }
        Err(ferrule_core::config::ConfigurationError::Mistakes(mistakes)) => {
            assert!(!mistakes.is_empty(), "refused without a reason");
            for mistake in mistakes {
                let line = mistake.to_string();
                assert!(!line.contains(['\n', '\r', '\u{1b}']), "{line:?}");
            }
        }
        Err(_) => {}
    }
}

/// A filter; one that is understood means the same when it is typed again, and a mistake points into the text.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let now: jiff::Zoned = "2026-01-02T03:04:05+00:00[UTC]".parse().expect("a moment");
    match Filter::parse(text, &now) {
        Ok(filter) => {
            let again = Filter::parse(&filter.to_string(), &now).expect("what was understood is understood again");
            assert_eq!(again, filter, "{text:?}");
        }
        Err(error) => {
            assert!(text.get(error.at.clone()).is_some(), "{:?} is no place in {text:?}", error.at);
        }
    }
}

/// A model file that somebody imports, and a card.
pub fn model(data: &[u8]) {
    let what = Imported {
        name: "imported".into(),
        task: Task::Defects,
        network: "unet".into(),
        width: None,
        classes: vec!["nothing".into(), "pit".into()],
        input: Input { side: 256, crop: Crop::Fibre, margin: 1.3, levels: Levels::Raw },
        threshold: 0.5,
    };
    if let Ok(carded) = with_card(data, &what) {
        let again = with_card(&carded, &what).expect("with a card it is still a model file");
        assert_eq!(again, carded, "a second card takes the first one's place");
    }
    if let Ok(state) = read_state_dict(data) {
        assert!(state.weights.iter().all(|weight| weight.shape.iter().product::<usize>() == weight.values.len()));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = toml::from_str::<ferrule_core::training::card::Card>(text);
    }
}

/// A truth file, or reviews from a tool for labelling; masks lie in their pictures.
pub fn coco(data: &[u8]) {
    let Ok(truth) = Truth::parse(data) else { return };
    for image in &truth.images {
        for defect in image.defects.iter().flatten() {
            for run in defect.mask() {
                let right = u64::from(run.x) + u64::from(run.length);
                assert!(right <= u64::from(image.width) && run.y < image.height, "a mask outside of {}", image.name);
            }
        }
    }
}
