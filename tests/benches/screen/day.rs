//! A day of captures told to one client by an engine that is none: it holds the dataset's lock, answers at its socket and says
//! what an engine would have said of each. The captures are those that the real one has inspected before, so that every result
//! that the client reads, and every picture that it makes, is there.

use std::{
    io::{BufRead, BufReader, BufWriter, Write},
    os::unix::net::{UnixListener, UnixStream},
    time::{Duration, Instant},
};

use ferrule_core::{
    engine::lock::{EngineLock, Holder},
    ids::{CaptureId, ImageId},
    protocol::{Answer, CaptureEvent, ClientLine, EngineLine, Event, Hello, PROTOCOL, Request, Status},
    report::CaptureState,
    workspace::DatasetPaths,
};
use ferrule_tests::Lab;

use super::{memory, open, tell};

/// Between two looks at the client's memory, in captures.
const LOOKS: u64 = 10;

/// Tells of so many captures, the last `known` of the dataset again and again.
pub fn spend(lab: &Lab, captures: u64, known: u64) {
    let dataset = DatasetPaths::at(lab.dataset());
    let socket = lab.runtime().join("day.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let holder = Holder::of_engine("2026-01-01T00:00:00Z".parse().unwrap(), socket);
    let _lock = EngineLock::take(&dataset, &holder).unwrap();
    let stories = stories(lab, known);

    let terminal = open(lab, &[]);
    // The binary looks whether an engine answers before the workbench connects.
    let (mut line, status) =
        std::iter::repeat_with(|| listener.accept().unwrap().0).find_map(|stream| greet(&stream, &dataset)).unwrap();
    terminal.wait_for("engine running");

    let begun = Instant::now();
    let mut seen = Vec::new();
    for number in 0..captures {
        let told = &stories[number as usize % stories.len()];
        for state in [CaptureState::Queued, CaptureState::Running, CaptureState::Done] {
            let event = CaptureEvent { state, ..told.clone() };
            say(&mut line, &EngineLine::Event(Event::Capture(Box::new(event))));
        }
        if number % 100 == 0 {
            let mut status = status.clone();
            (status.counts.done, status.per_second) = (number, 1.2 + (number % 7) as f64);
            status.counts.add_up();
            say(&mut line, &EngineLine::Event(Event::Status(Box::new(status))));
        }
        // A client that does not follow is waited for, as by the engine's own channel.
        if number % (captures / LOOKS).max(1) == 0 {
            line.flush().unwrap();
            std::thread::sleep(Duration::from_millis(1_500));
            seen.push(memory(terminal.pid()));
        }
    }
    line.flush().unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    seen.push(memory(terminal.pid()));
    let worst = seen.iter().fold((0.0_f64, 0.0_f64), |worst, now| (worst.0.max(now.0), worst.1.max(now.1)));
    let (first, last) = (seen[1.min(seen.len() - 1)], seen[seen.len() - 1]);
    let what = format!("memory over {captures} captures, told in {:.0} s, at most", begun.elapsed().as_secs_f64());
    tell(&what, &format!("{:.1} MB", worst.1), "80 MB");
    tell("  of it its own, after a tenth, and at the end", &format!("{:.1}, {:.1} MB", first.0, last.0), "flat");
}

/// What is to be told of each of the last captures.
fn stories(lab: &Lab, known: u64) -> Vec<CaptureEvent> {
    let database = lab.database();
    let sql =
        "SELECT c.capture_id, c.image_id, c.shown FROM captures c JOIN images USING (image_id) WHERE c.state = 'done'
        ORDER BY c.capture_id DESC LIMIT ?1";
    let mut select = database.prepare(sql).unwrap();
    let rows = select.query_map([known.cast_signed()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
    });
    let story = |(capture, image, name): (i64, String, Option<String>)| CaptureEvent {
        capture: CaptureId(capture),
        source: "captures".into(),
        path: format!("/captures/{}", name.unwrap_or_default()),
        path_b64: None,
        state: CaptureState::Done,
        image: image.parse::<ImageId>().ok(),
        has_defect: Some(capture % 5 == 0),
        verdict: None,
        defects: Some((capture % 5) as u32),
        incomplete: Vec::new(),
        message: None,
        ms: Some(18.0),
    };
    let stories: Vec<_> = rows.unwrap().map(|row| story(row.unwrap())).collect();
    assert!(!stories.is_empty(), "nothing was inspected");
    stories
}

/// Says hello, and tells a client that wants to hear more the status that it begins with.
fn greet(stream: &UnixStream, dataset: &DatasetPaths) -> Option<(BufWriter<UnixStream>, Status)> {
    let mut asked = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut line = BufWriter::new(stream.try_clone().unwrap());
    let hello = Hello { protocol: PROTOCOL, software: "ferrule bench".into(), pid: std::process::id() };
    asked.next()?.ok()?;
    say(&mut line, &EngineLine::Hello(hello));
    line.flush().ok()?;
    let status = Status {
        software: "ferrule bench".into(),
        pid: std::process::id(),
        started: "2026-01-01T00:00:00Z".into(),
        database: dataset.database().display().to_string(),
        generation: 1,
        ..Status::default()
    };
    loop {
        let request = serde_json::from_str(&asked.next()?.ok()?).unwrap();
        if let ClientLine::Request { id, body: Request::Subscribe } = request {
            say(&mut line, &EngineLine::Answer { id, body: Answer::Status(Box::new(status.clone())) });
            line.flush().ok()?;
            return Some((line, status));
        }
    }
}

fn say(line: &mut impl Write, said: &EngineLine) {
    serde_json::to_writer(&mut *line, said).unwrap();
    line.write_all(b"\n").unwrap();
}
