//! Nothing is lost and nothing doubled when processes die.

use std::{fs, time::Duration};

use ferrule_tests::{Lab, children, files_below};
use rustix::process::{Pid, Signal, kill_process};

/// A small generator of our own, so that a failing run can be repeated from its seed.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_thousand_captures_survive_ten_kills_of_the_engine() {
    let lab = Lab::new();
    let apart = lab.root().join("apart");
    lab.simulate(&apart, 1000, "burst-v1", 21);
    let captures = lab.captures();
    let dropping = std::thread::spawn({
        let files = files_below(&apart);
        move || {
            for file in files {
                fs::rename(&file, captures.join(file.file_name().unwrap())).unwrap();
            }
        }
    });
    let mut random = 0x5eed_u64;
    for kill in 0..10 {
        let engine = lab.start_engine();
        let before = lab.count("done");
        // At a random moment of a random stretch of work, in steps of done captures and in time.
        let target = (before + next(&mut random) % 60).min(1000);
        lab.wait_for("some work before the kill", || (lab.count("done") >= target).then_some(()));
        std::thread::sleep(Duration::from_millis(next(&mut random) % 40));
        engine.kill();
        assert!(lab.status().is_none(), "kill {kill}: nobody answers for a dead engine");
    }
    dropping.join().unwrap();
    let _engine = lab.start_engine();
    lab.wait_done(1000);
    assert_eq!(lab.count("failed"), 0);
    assert_eq!(lab.query_count("SELECT count(*) FROM captures WHERE state = 'done'"), 1000);
    let current = "SELECT count(*) FROM images";
    assert_eq!(lab.query_count(current), 1000, "a thousand results");
    let inspected = "SELECT count(*) FROM inspections";
    assert_eq!(lab.query_count(inspected), 1000, "none of them twice");
    assert_eq!(files_below(&lab.dataset().join("images")).len(), 1000);
    lab.audit();
}

#[test]
fn a_worker_killed_while_it_works_costs_nothing() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    lab.simulate(&lab.root().join("apart"), 200, "burst-v1", 4);
    for file in files_below(&lab.root().join("apart")) {
        fs::rename(&file, lab.captures().join(file.file_name().unwrap())).unwrap();
    }
    for target in [20, 60, 100] {
        lab.wait_for("work under way", || (lab.count("done") >= target).then_some(()));
        let workers = children(engine.pid());
        for worker in workers {
            // It may have ended by itself since.
            let _ = kill_process(Pid::from_raw(worker.cast_signed()).unwrap(), Signal::KILL);
        }
    }
    lab.wait_done(200);
    assert_eq!(lab.count("failed"), 0);
    assert_eq!(
        lab.query_count(
            "SELECT count(*) FROM inspections WHERE incomplete IS NOT NULL AND incomplete NOT IN ('', '[]')"
        ),
        0
    );
    lab.audit();
}

#[test]
fn two_engines_on_one_dataset_are_refused_with_who_holds_it() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    let second = lab.run(&["engine"]);
    assert_eq!(second.status.code(), Some(2), "{}", ferrule_tests::text(&second));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains(&format!("pid {}", engine.pid())), "{said}");
}

#[test]
fn what_failed_for_the_moment_is_tried_again_by_the_next_engine() {
    let lab = Lab::with_settings("[intake]\ndecode_retries = 9");
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 1, "burst-v1", 3);
    lab.wait_done(1);
    // A worker that stands still has the next capture when its folder goes away.
    let all = |signal| {
        for worker in children(engine.pid()) {
            let _ = kill_process(Pid::from_raw(worker.cast_signed()).unwrap(), signal);
        }
    };
    all(Signal::STOP);
    lab.simulate(&lab.captures(), 2, "burst-v1", 4);
    lab.wait_for("a worker has it", || (lab.count("running") > 0).then_some(()));
    let away = lab.root().join("away");
    fs::rename(lab.captures(), &away).unwrap();
    all(Signal::CONT);
    let failed = "SELECT count(*) FROM captures WHERE state = 'failed' AND failure_transient";
    lab.wait_for("it fails for the moment", || (lab.query_count(failed) > 0).then_some(()));
    // With the engine goes what it was about to try again.
    engine.kill();
    fs::rename(&away, lab.captures()).unwrap();
    let _engine = lab.start_engine();
    lab.wait_done(3);
    assert_eq!((lab.count("failed"), lab.query_count("SELECT max(attempts) > 1 FROM captures")), (0, 1));
    lab.audit();
}
