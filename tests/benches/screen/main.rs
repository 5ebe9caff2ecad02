//! The workbench in front of an engine that works: how soon a key is seen, what an idle and a busy minute write and cost, how
//! soon the first frame is there, and what the client holds after a day of captures. `cargo xtask bench tui` starts it.
//!
//! The real binary in pseudo-terminals, over a database of `FERRULE_BENCH_ROWS` captures, while simulated pictures come in ten
//! a second. Each part lasts `FERRULE_BENCH_SECONDS`; bytes are told as of a minute. It passes nothing and fails nothing.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that prints figures and may stop at any trouble"
)]

mod day;
mod microscope;

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use ferrule_core::workspace::DatasetPaths;
use ferrule_tests::{Lab, filled::fill, processor_time, terminal::Terminal};

use self::microscope::{Microscope, RATE};

/// A window of a common size.
const SIZE: (u16, u16) = (40, 120);
/// Keys whose echo is measured, of either kind.
const KEYS: usize = 150;
/// Between two of them: a fast typist's.
const BETWEEN: Duration = Duration::from_millis(60);
/// How often the workbench is opened.
const STARTS: usize = 15;

fn main() {
    let number =
        |name: &str, default: u64| std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"));
    let rows = number("FERRULE_BENCH_ROWS", 1_000_000);
    let part = Duration::from_secs(number("FERRULE_BENCH_SECONDS", 60).max(5));
    let day_of = number("FERRULE_BENCH_DAY", 100_000);

    let lab = Lab::new();
    fill(&DatasetPaths::at(lab.dataset()), rows);
    let engine = lab.start_engine();
    let mut microscope = Microscope::new(&lab, part.as_secs() * RATE + 30 * RATE);
    println!("the workbench at {}x{}, {rows} captures, debug assertions {}", SIZE.1, SIZE.0, cfg!(debug_assertions));
    tell("", "measured", "goal");

    starts(&lab);
    idle(&lab, part);
    busy(&lab, part, &mut microscope);
    echo(&lab, &mut microscope);
    let known = microscope.taken();
    lab.wait_for("nothing on its way", || {
        (lab.count("queued") + lab.count("running") + lab.count("settling") == 0).then_some(())
    });
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    day::spend(&lab, day_of, known);
}

fn tell(what: &str, measured: &str, goal: &str) {
    println!("{what:<64}{measured:>12}  {goal}");
}

/// The workbench as somebody sits in front of it: near, or at the end of a line.
fn open(lab: &Lab, environment: &[(&str, &str)]) -> Terminal {
    let runtime = lab.runtime();
    let mut all = vec![("XDG_RUNTIME_DIR", runtime.to_str().unwrap())];
    all.extend(environment);
    Terminal::open(lab, SIZE.0, SIZE.1, &all)
}

/// At the end of an SSH connection.
const FAR: (&str, &str) = ("SSH_CONNECTION", "192.0.2.7 50022 192.0.2.1 22");

fn percentile(times: &mut [f64], share: f64) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[((times.len() as f64 * share).ceil() as usize).clamp(1, times.len()) - 1]
}

/// From the start of the process to a frame that says what the engine does.
fn starts(lab: &Lab) {
    let mut times: Vec<f64> = (0..STARTS)
        .map(|_| {
            let begun = Instant::now();
            let terminal = open(lab, &[]);
            let there = terminal.wait_until("a frame", |screen| screen.contents().contains("1 Live"));
            (there - begun).as_secs_f64() * 1e3
        })
        .collect();
    let (half, most) = (percentile(&mut times, 0.5), percentile(&mut times, 1.0));
    tell("start to first frame, p50 (longest)", &format!("{half:.0} ({most:.0}) ms"), "60 ms");
}

fn idle(lab: &Lab, part: Duration) {
    let terminal = open(lab, &[]);
    terminal.wait_for("engine running");
    lab.wait_for("the screen to come to rest", || {
        let before = terminal.bytes();
        sleep(Duration::from_secs(3));
        (terminal.bytes() == before).then_some(())
    });
    let (bytes, used) = (terminal.bytes(), processor_time(terminal.pid()));
    sleep(part);
    tell("bytes, an idle minute", &a_minute(terminal.bytes() - bytes, part), "0");
    tell("processor, idle", &share(processor_time(terminal.pid()) - used, part), "0.0 %");
}

/// Three clients at once: near, far, and far over a line that pictures are too much for.
fn busy(lab: &Lab, part: Duration, microscope: &mut Microscope) {
    let near = open(lab, &[]);
    let far = open(lab, &[FAR]);
    let runtime = lab.runtime();
    let poor = Terminal::open_with(
        lab,
        SIZE.0,
        SIZE.1,
        &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap()), FAR],
        &["--low-bandwidth".as_ref(), lab.workspace.as_path()],
    );
    let clients = [&near, &far, &poor];
    clients.iter().for_each(|client| client.wait_for("engine running"));
    let at_work = microscope.start();
    // The first picture of all is not what a minute costs.
    sleep(Duration::from_secs(5));
    let before = clients.map(|client| (client.bytes(), processor_time(client.pid())));
    let done = lab.count("done");
    sleep(part);
    let after = clients.map(|client| (client.bytes(), processor_time(client.pid())));
    let came = (lab.count("done") - done) as f64 / part.as_secs_f64();
    drop(at_work);
    let bytes = |client: usize| a_minute(after[client].0 - before[client].0, part);
    let used = |client: usize| share(after[client].1 - before[client].1, part);
    tell("captures through, a second", &format!("{came:.1}"), "");
    tell("bytes, a busy minute, half-blocks, remote", &bytes(1), "200 KB");
    tell("bytes, a busy minute, --low-bandwidth", &bytes(2), "20 KB");
    tell("bytes, a busy minute, half-blocks, local", &bytes(0), "");
    tell("processor at ten captures a second, local", &used(0), "3 %");
    tell("processor at ten captures a second, remote", &used(1), "3 %");
    tell("processor at ten captures a second, --low-bandwidth", &used(2), "3 %");
}

/// Letters typed into the filter, and steps of the cursor in the table, while captures come.
fn echo(lab: &Lab, microscope: &mut Microscope) {
    for (where_, environment) in [("local", &[][..]), ("remote", &[FAR][..])] {
        let mut terminal = open(lab, environment);
        terminal.wait_for("engine running");
        let at_work = microscope.start();
        sleep(Duration::from_secs(2));
        terminal.press("2");
        terminal.wait_for("captures");
        terminal.press("/");
        let mut typed = Vec::with_capacity(KEYS);
        for number in 0..KEYS {
            let (key, expected) = if number % 2 == 0 { ("x", " /x ") } else { ("\u{7f}", " / ") };
            sleep(BETWEEN);
            let pressed = Instant::now();
            terminal.press(key);
            let shown = terminal.wait_until("the letter", |screen| {
                screen.rows(0, SIZE.1).last().is_some_and(|row| format!("{row} ").starts_with(expected))
            });
            typed.push((shown - pressed).as_secs_f64() * 1e3);
        }
        terminal.press("\u{1b}");
        // Or Escape and the next key would be one, as terminals write Alt.
        terminal.wait_until("the filter is closed", |screen| {
            screen.rows(0, SIZE.1).last().is_some_and(|row| !row.starts_with(" /"))
        });
        // Off the newest row, so that the cursor stays on its capture; what came meanwhile moves them both.
        let mut stepped = Vec::with_capacity(KEYS);
        terminal.press("jj");
        for number in 0..KEYS {
            sleep(BETWEEN);
            let before = terminal.look(selected);
            let pressed = Instant::now();
            terminal.press(if number % 2 == 0 { "j" } else { "k" });
            let shown = terminal.wait_until("the cursor on another row", |screen| {
                let now = selected(screen);
                now.is_some() && now != before
            });
            stepped.push((shown - pressed).as_secs_f64() * 1e3);
        }
        drop(at_work);
        for (what, times) in [("a letter in the filter", &mut typed), ("a step in the table", &mut stepped)] {
            let (half, most) = (percentile(times, 0.5), percentile(times, 0.99));
            let what = format!("echo of {what}, {where_}, p50 / p99");
            tell(&what, &format!("{half:.1} / {most:.1} ms"), "16 ms at p99");
        }
    }
}

/// The text of the row under the cursor.
fn selected(screen: &vt100::Screen) -> Option<String> {
    let row = (2..SIZE.0 - 1).find(|row| screen.cell(*row, 4).is_some_and(vt100::Cell::inverse))?;
    screen.rows(0, SIZE.1).nth(usize::from(row))
}

fn a_minute(bytes: u64, of: Duration) -> String {
    let bytes = bytes as f64 * 60.0 / of.as_secs_f64();
    if bytes < 1_000.0 { format!("{bytes:.0}") } else { format!("{:.1} KB", bytes / 1e3) }
}

fn share(used: Duration, of: Duration) -> String {
    format!("{:.2} %", used.as_secs_f64() / of.as_secs_f64() * 100.0)
}

/// Memory of a process that it shares with nobody, and all of it, in MB.
fn memory(pid: u32) -> (f64, f64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1e3
    };
    (of("RssAnon:"), of("VmRSS:"))
}
