//! A directory with very many files: listed when an engine starts, and read only once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests end that way")]

use std::{fs, time::Instant};

use ferrule_tests::{Lab, files_below};

/// Files in the short form; `FERRULE_MANY_FILES=500000` for the whole of it. A thousand names share a file: what is listed,
/// read and hashed is as much, what lies on the disk is not.
const SHORT: usize = 3000;
/// Bytes of each: what reading them again would cost.
const BYTES: usize = 4096;

/// Bytes that the engine's reading threads have read so far: what they read they hash.
fn hashed_by(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten().map(|task| task.path());
    let readers =
        tasks.filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("hasher")));
    let bytes = |io: String| io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse::<u64>().ok());
    readers.filter_map(|task| bytes(fs::read_to_string(task.join("io")).unwrap())).sum()
}

#[test]
fn a_directory_of_many_files_is_listed_and_not_read_again_at_the_next_start() {
    let count = std::env::var("FERRULE_MANY_FILES").ok().map_or(SHORT, |text| text.parse().unwrap());
    let lab = Lab::new();
    let content = vec![b'x'; BYTES];
    for number in 0..count {
        let first = number / 1000 * 1000;
        let folder = lab.captures().join(format!("{:04}", number / 1000));
        let path = folder.join(format!("{number}.png"));
        if number == first {
            fs::create_dir(&folder).unwrap();
            fs::write(path, &content).unwrap();
        } else {
            fs::hard_link(folder.join(format!("{first}.png")), path).unwrap();
        }
    }
    let began = Instant::now();
    let engine = lab.start_engine();
    // All of them hold the same, which is no picture: one fails, the others are its duplicates.
    lab.wait_while_it_moves("files at their end", count as u64, |status| {
        ["duplicate", "failed"].iter().filter_map(|state| status["counts"][state].as_u64()).sum()
    });
    let first = began.elapsed();
    assert!(hashed_by(engine.pid()) >= (count * BYTES) as u64);
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();

    let began = Instant::now();
    let engine = lab.start_engine();
    let apart = lab.root().join("apart");
    lab.simulate(&apart, 1, "burst-v1", 3);
    fs::copy(files_below(&apart).first().unwrap(), lab.captures().join("0000/new.png")).unwrap();
    lab.wait_done(1);
    let again = began.elapsed();
    // Every file was seen before the new one was found in a listing of the whole directory, or told by the kernel after it.
    lab.wait_for("nothing on its way", || (lab.count("settling") == 0).then_some(()));
    let read = hashed_by(engine.pid());
    assert!(read < (64 * BYTES) as u64, "{read} bytes were read at the second start");
    let status = lab.status().unwrap();
    let counts = ["duplicate", "failed", "done"].map(|state| status["counts"][state].as_u64().unwrap());
    assert_eq!(counts, [count as u64 - 1, 1, 1], "{status:#}");
    println!(
        "many files: {count}; first start {first:.1?}, second to its first result {again:.1?}, {read} bytes hashed"
    );
    lab.audit();
}
