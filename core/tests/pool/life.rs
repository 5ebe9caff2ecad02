//! The pool's life: starting, waiting, being killed at random, ending.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use ferrule_core::{
    ids::ImageId,
    pool::{AfterRefusal, Cause, PoolSettings, Report, Task},
    worker::arguments::WorkerProgram,
};
use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, id, maker, pipeline, settings};

fn kill(pid: u32) {
    // It may be gone already.
    let _ = kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL);
}

#[test]
fn results_carry_what_made_them_and_room_comes_back() {
    let mut bench = Bench::new(settings(2));
    assert_eq!(bench.pool.capacity(), 4);
    let tasks: Vec<_> = (0..4).map(|_| bench.task("slow@det")).collect();
    for task in &tasks {
        bench.pool.submit(task.clone()).unwrap();
    }
    assert_eq!(bench.pool.capacity(), 0);
    let fifth = bench.task("a");
    assert_eq!(*bench.pool.submit(fifth.clone()).unwrap_err(), fifth);
    for task in tasks {
        let finished = bench.result(task.id);
        assert_eq!((finished.generation, finished.pipeline), (1, pipeline("d1", "").id));
    }
    assert_eq!(bench.pool.capacity(), 4);
    let workers = bench.pool.workers();
    assert_eq!((workers.len(), workers.iter().map(|worker| worker.jobs).sum::<u64>()), (2, 4));
}

#[test]
fn a_worker_that_dies_idle_is_replaced() {
    let mut bench = Bench::new(settings(1));
    let first = maker(&bench.inspected("a"));
    kill(first);
    bench.until("the death", |bench| !bench.deaths().is_empty());
    let death = bench.deaths()[0];
    assert_eq!((death.pid, &death.cause, death.task), (first, &Cause::Signal(9), None));
    assert_ne!(maker(&bench.inspected("b")), first);
}

#[test]
fn every_task_ends_exactly_once_while_workers_are_killed_at_random() {
    const TASKS: u64 = 500;
    let mut bench = Bench::new(PoolSettings { quarantine_after: u32::MAX, ..settings(2) });
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(20);
    let deeds = ["behave@det", "once.segv@det", "slow@det", "slow@mea", "exit@mea", "once.half@seg", "fail@seg"];
    let (mut submitted, mut ended) = (BTreeSet::new(), BTreeSet::new());
    while (ended.len() as u64) < TASKS {
        while (submitted.len() as u64) < TASKS && bench.pool.capacity() > 0 {
            // Common names are common, deaths are not.
            let deed = deeds[random.random_range(0..40_usize).min(deeds.len() * 4 - 1) / 4];
            let task = bench.task(&format!("{deed}#{}", submitted.len()));
            submitted.insert(task.id);
            bench.pool.submit(task).unwrap();
        }
        let workers = bench.pool.workers();
        if random.random_bool(0.05) && !workers.is_empty() {
            kill(workers[random.random_range(0..workers.len())].pid);
        }
        bench.until("a result", |bench| !bench.finished.is_empty());
        for id in std::mem::take(&mut bench.finished).into_keys() {
            assert!(ended.insert(id), "{id} ended twice");
        }
    }
    assert_eq!(submitted, ended);
    assert_eq!(bench.pool.capacity(), 4);
    bench.pool.shutdown(Duration::ZERO);
    while let Ok(report) = bench.pool.reports().try_recv() {
        bench.take(report);
    }
    assert!(bench.finished.is_empty() && bench.returned.is_empty());
}

#[test]
fn a_program_that_cannot_start_is_reported_and_tasks_wait_until_they_are_given_back() {
    let program = WorkerProgram { executable: PathBuf::from("/nowhere/ferrule"), arguments: vec![], libraries: None };
    let mut bench = Bench::new(PoolSettings { program, ..settings(2) });
    let task = bench.task("a");
    let id = bench.submit(task);
    let pauses = |bench: &Bench| -> Vec<Duration> {
        let pause = |fact: &_| match fact {
            Report::Refused { reason, then: AfterRefusal::TryAgain { after }, .. } => {
                assert!(reason.contains("/nowhere/ferrule"), "{reason}");
                Some(*after)
            }
            _ => None,
        };
        bench.facts.iter().filter_map(pause).collect()
    };
    bench.until("three refusals", |bench| pauses(bench).len() == 3);
    assert!(pauses(&bench).is_sorted_by(|a, b| a < b), "pauses grow: {:?}", pauses(&bench));
    bench.pool.shutdown(Duration::from_secs(1));
    bench.until("the task", |bench| !bench.returned.is_empty());
    assert_eq!(bench.returned, [id]);
}

#[test]
fn a_worker_that_crashes_while_it_loads_is_named_and_not_started_over_and_over() {
    let mut bench = Bench::with(settings(2), pipeline("d1", "abort"));
    let refused = |fact: &_| {
        matches!(fact, Report::Refused { plugin: Some(plugin), reason, .. }
        if *plugin == id("det") && reason.contains("SIGABRT"))
    };
    bench.until("the refusal", |bench| bench.facts.iter().any(refused));
}

#[test]
fn an_end_gives_back_what_waits_and_lets_what_runs_finish() {
    let mut bench = Bench::new(settings(1));
    bench.inspected("a");
    let tasks: Vec<_> = ["slow@det", "b"].iter().map(|name| bench.task(name)).collect();
    let ids: Vec<u64> = tasks.into_iter().map(|task| bench.submit(task)).collect();
    // Both are in the pool; the second waits behind the first.
    bench.pool.shutdown(Duration::from_secs(50));
    while let Ok(report) = bench.pool.reports().try_recv() {
        bench.take(report);
    }
    let mut ended: Vec<u64> = bench.finished.keys().copied().chain(bench.returned.iter().copied()).collect();
    ended.sort_unstable();
    assert_eq!(ended, ids);
    assert!(bench.returned.contains(&ids[1]));
    assert!(bench.pool.workers().is_empty());
}

#[test]
fn an_end_without_grace_gives_back_what_hangs() {
    let mut bench = Bench::new(settings(1));
    let task = bench.task("hang@det");
    let hanging = bench.submit(task);
    bench.until("a worker", |bench| bench.facts.iter().any(|fact| matches!(fact, Report::Started { .. })));
    bench.pool.shutdown(Duration::from_millis(50));
    bench.until("the task", |bench| !bench.returned.is_empty());
    assert_eq!(bench.returned, [hanging]);
}

#[test]
fn artefacts_lie_in_the_workers_folder_and_neither_a_death_nor_a_failure_leaves_any() {
    let staging = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(PoolSettings { staging: Some(staging.path().join("new")), ..settings(1) });
    let there = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<BTreeSet<_>>()
    };
    let of = |bench: &mut Bench, deed: &str, image: &[u8]| Task {
        expected: Some(ImageId::of(image)),
        ..Bench::with_artefacts(bench.task(deed))
    };
    let [first, failing, left] = [b"first", b"other", b"third"].map(|image| format!("{}_m.png", ImageId::of(image)));
    let task = of(&mut bench, "once.segv@mea", b"first");
    let path = task.path.clone();
    let id = bench.submit(task);
    let finished = bench.result(id);
    let folder = finished.staging.unwrap();
    assert_eq!((folder.parent(), &finished.artefacts[0].name), (Some(&*staging.path().join("new")), &first));
    assert_eq!(fs::read(folder.join(&first)).unwrap(), path.as_os_str().as_encoded_bytes());
    assert_eq!(there(&folder), BTreeSet::from([first.clone()]));

    // Beside a result that nobody took yet, and somebody else's.
    fs::write(folder.join(&left), b"of another").unwrap();
    let task = of(&mut bench, "fail@seg", b"other");
    let id = bench.submit(task);
    assert!(bench.result(id).staging.is_none());
    assert!(!there(&folder).contains(&failing));
    assert_eq!(there(&folder), BTreeSet::from([first, left]));

    fs::remove_dir_all(&folder).unwrap();
    bench.pool.shutdown(Duration::from_secs(50));
    assert_eq!(fs::read_dir(staging.path().join("new")).unwrap().count(), 0);
}

#[test]
fn an_idle_pool_sleeps() {
    let mut bench = Bench::new(settings(1));
    let child = maker(&bench.inspected("a"));
    // The thread that started the worker is the pool's.
    let threads = || fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let children = |thread: &PathBuf| fs::read_to_string(thread.join("children")).unwrap_or_default();
    let started = |thread: &PathBuf| children(thread).split(' ').any(|pid| pid == child.to_string());
    let Some(thread) = threads().find(started) else { return };
    let wakes = || {
        let status = fs::read_to_string(thread.join("status")).unwrap();
        let switches = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap().to_owned();
        switches.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    bench.until("sleep", |_| fs::read_to_string(thread.join("status")).unwrap().contains("S (sleeping)"));
    let before = wakes();
    std::thread::sleep(Duration::from_millis(400));
    // It may just have been falling asleep.
    assert!(wakes() <= before + 1, "woke up {} times", wakes() - before);
}
