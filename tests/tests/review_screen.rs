//! Reviewing captures in the workbench, one after the other, in a real pseudo-terminal: what is decided is in the database.

use ferrule_tests::{Lab, terminal::Terminal};

/// The label in force of every image, in the order in which the screen shows them.
fn labels(lab: &Lab) -> Vec<Option<bool>> {
    let database = lab.database();
    let mut select = database.prepare("SELECT has_defect FROM images ORDER BY capture_id DESC").unwrap();
    let rows = select.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn fifty_captures_are_reviewed_with_one_key_each_and_the_rows_say_so() {
    let lab = Lab::new();
    let _engine = lab.start_engine();
    lab.simulate(&lab.captures(), 50, "burst-v1", 7);
    lab.wait_done(50);
    let runtime = lab.runtime();
    let environment = [("XDG_RUNTIME_DIR", runtime.to_str().unwrap()), ("USER", "dana")];
    let mut terminal = Terminal::open(&lab, 30, 100, &environment);
    terminal.wait_for("engine running");
    terminal.press("3");
    terminal.wait_for("reviewer: dana");
    terminal.press("\r");
    for number in 0..50 {
        terminal.wait_for(&format!("{number} decided"));
        // The next capture is there; what was not seen cannot be decided.
        terminal.wait_for("Defects");
        terminal.press(if number % 3 == 0 { "d" } else { "c" });
    }
    terminal.wait_for("Nothing is left to review here");
    lab.wait_for("fifty words in the database", || {
        (lab.query_count("SELECT count(*) FROM reviews WHERE reviewer = 'dana'") == 50).then_some(())
    });
    let expected: Vec<_> = (0..50).map(|number| Some(number % 3 == 0)).collect();
    assert_eq!(labels(&lab), expected);

    // The last word is taken back: the label is the pipeline's again.
    terminal.press("u");
    terminal.wait_for("49 decided");
    lab.wait_for("the last word taken back", || {
        (lab.query_count("SELECT count(*) FROM reviews WHERE decision = 'withdrawn'") == 1).then_some(())
    });
    let found = "SELECT count(*) FROM images WHERE has_defect IS NOT has_defect_found AND capture_id =
        (SELECT min(capture_id) FROM images)";
    assert_eq!(lab.query_count(found), 0);

    // A box around something that was missed.
    terminal.wait_for("Defects");
    terminal.press("b\r");
    terminal.press("\u{1b}[C\u{1b}[B\r");
    terminal.wait_for("What is in the box?");
    terminal.press("2");
    lab.wait_for("the box in the database", || {
        let sql = "SELECT count(*) FROM reviews WHERE dtype = 'pit' AND decision IN ('missed', 'confirmed')";
        (lab.query_count(sql) == 1).then_some(())
    });
    terminal.press("ql");
    terminal.wait_end();

    // The name is known the next time, and what is left is what was taken back.
    let mut again = Terminal::open(&lab, 30, 100, &environment);
    again.wait_for("engine running");
    again.press("3");
    again.wait_for("1 of 1");
    again.wait_for("reviewer: dana");
    again.press("ql");
    again.wait_end();
}
