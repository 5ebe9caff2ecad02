//! Closing or losing the terminal ends the client alone. All in real pseudo-terminals.

use std::{fs, time::Duration};

use ferrule_tests::{Lab, processor_time, terminal::Terminal};

#[test]
fn a_lost_terminal_ends_the_client_and_the_engine_works_on() {
    let lab = Lab::new();
    let runtime = lab.runtime();
    let mut terminal = Terminal::open(&lab, 24, 80, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    terminal.wait_for("Live");
    lab.wait_for("the workbench started an engine", || lab.status());
    lab.simulate(&lab.captures(), 3, "burst-v1", 1);
    lab.wait_done(1);
    terminal.hang_up();
    terminal.wait_end();
    lab.simulate(&lab.captures(), 3, "burst-v1", 2);
    lab.wait_done(6);

    // A new one shows the same state.
    let again = Terminal::open(&lab, 24, 80, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    again.wait_for("6");
    assert!(lab.run(&["stop"]).status.success());
}

#[test]
fn the_engine_is_found_again_after_its_runtime_folder_was_emptied_and_without_xdg_variables() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    lab.simulate(&lab.captures(), 2, "burst-v1", 1);
    lab.wait_done(2);
    // What logind does at logout.
    fs::remove_dir_all(lab.runtime()).unwrap();
    lab.wait_for("a client without XDG_RUNTIME_DIR finds the engine", || {
        let mut status = lab.ferrule(&["status", "--json"]);
        status.env_remove("XDG_RUNTIME_DIR").arg(&lab.workspace);
        status.output().unwrap().status.success().then_some(())
    });
    let mut terminal = Terminal::open(&lab, 24, 80, &[]);
    terminal.wait_for("Live");
    let pid: u64 = lab.status().unwrap()["pid"].as_u64().unwrap();
    assert_eq!(pid, u64::from(engine.pid()), "the same engine, not a second one");
    terminal.hang_up();
    terminal.wait_end();
}

#[test]
fn an_idle_engine_and_client_use_no_processor_and_write_nothing() {
    let lab = Lab::new();
    let engine = lab.start_engine();
    let runtime = lab.runtime();
    lab.simulate(&lab.captures(), 2, "burst-v1", 1);
    lab.wait_done(2);
    let terminal = Terminal::open(&lab, 24, 80, &[("XDG_RUNTIME_DIR", runtime.to_str().unwrap())]);
    terminal.wait_for("Live");
    // Quiet is when two looks a second apart see no byte; rates shown on the screen fall to zero before that.
    let quiet = lab.wait_for("the screen to come to rest", || {
        let before = terminal.bytes();
        std::thread::sleep(Duration::from_secs(12));
        (terminal.bytes() == before).then_some(before)
    });
    let used = || processor_time(engine.pid()) + processor_time(terminal.pid());
    let (before, window) = (used(), Duration::from_secs(10));
    std::thread::sleep(window);
    assert_eq!(terminal.bytes(), quiet, "an idle minute writes nothing:\n{}", terminal.screen());
    let share = (used() - before).as_secs_f64() / window.as_secs_f64();
    // Two clock ticks of 10 ms are what can be told from nothing.
    assert!(share <= 0.005, "{:.2} % of a core while idle", share * 100.0);
}
