//! What the rules of `[dataset.keep]` let go, what they spare, and what a kill leaves of it.

use std::fs;

use ferrule_core::{
    ids::ImageId,
    report::CaptureState,
    settings::{Keep, Protect},
    store::{Admitted, Closeness, Problem, Receipt, Requeue, Tidied, TidyPlan, TidyStep, Write, verify},
};
use jiff::Timestamp;

use crate::desk::Desk;

const NO_RULE: Keep = Keep {
    every_hours: 0,
    protect: Protect::Dataset,
    former: 0,
    former_days: 0,
    masks_days: 0,
    masks_mb: 0,
    pictures_days: 0,
    pictures_mb: 0,
};

/// What the desk's answers bring along: two files of 16 bytes.
const ARTEFACTS: (u64, u64) = (2, 32);

fn plan(desk: &Desk, keep: Keep) -> TidyPlan {
    desk.reader().tidy_plan(&desk.paths(), keep, Timestamp::now(), &mut || true).unwrap().unwrap()
}

fn carry_out(desk: &Desk, plan: TidyPlan) -> Tidied {
    let (mut done, mut next) = (Tidied::default(), Some(Box::new(TidyStep::first(plan))));
    while let Some(step) = next.take() {
        let Receipt::Tidied(tidying) = desk.ask(Write::Tidy(step)) else { panic!("not tidied") };
        done.add(tidying.done);
        next = tidying.next;
    }
    done
}

/// Plans, carries out, and checks that what was announced is what went.
fn tidy(desk: &Desk, keep: Keep) -> (Tidied, u64) {
    let plan = plan(desk, keep);
    let (announced, spared) = (plan.going, plan.spared);
    assert_eq!(carry_out(desk, plan), announced);
    assert!(self::plan(desk, keep).going.is_nothing(), "all of it went");
    desk.assert_sound();
    let found = verify(&desk.paths(), Closeness { contents: true }, &mut |_, _| true).unwrap().unwrap();
    // What the desk puts there is no picture; that it is there, and nothing else, is what counts.
    assert!(found.problems.iter().all(|problem| matches!(problem, Problem::Broken { .. })), "{:?}", found.problems);
    (announced, spared)
}

fn again(desk: &Desk, admitted: &Admitted) {
    desk.ask(Write::Requeue(Requeue::Images(vec![admitted.image.unwrap()])));
    desk.run(admitted.capture);
    assert_eq!(desk.finish(desk.answer(admitted)).state, CaptureState::Done);
}

/// As if it had been inspected long ago.
fn long_ago(desk: &Desk, image: ImageId) {
    let sql = "UPDATE inspections SET at = '2001-01-01T00:00:00.000Z' WHERE image_id = ?1";
    desk.sql().execute(sql, [image.to_string()]).unwrap();
}

fn masks_of(desk: &Desk, image: ImageId) -> usize {
    let (paths, image) = (desk.paths(), image.to_string());
    let count = |folder| {
        fs::read_dir(folder)
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&image))
            .count()
    };
    count(paths.masks()) + count(paths.defects())
}

#[test]
fn without_a_rule_nothing_goes() {
    let desk = Desk::open();
    let admitted = desk.inspect("a.png", b"a");
    again(&desk, &admitted);
    long_ago(&desk, admitted.image.unwrap());
    assert_eq!(tidy(&desk, NO_RULE), (Tidied::default(), 0));
}

#[test]
fn former_inspections_go_by_count_and_by_age_and_those_that_count_stay() {
    let desk = Desk::open();
    let (first, second) = (desk.inspect("a.png", b"a"), desk.inspect("b.png", b"b"));
    for _ in 0..3 {
        again(&desk, &first);
    }
    again(&desk, &second);
    // A review was made on the very first inspection.
    let sql =
        "INSERT INTO reviews (image_id, inspection_id, reviewer, at, decision) VALUES (?1, 1, 'ada', '2026', 'defect')";
    desk.sql().execute(sql, [first.image.unwrap().to_string()]).unwrap();
    let former = |inspections| Tidied { inspections, ..Tidied::default() };
    assert_eq!(tidy(&desk, Keep { former: 2, ..NO_RULE }).0, former(0), "of three former ones one is a review's");
    assert_eq!(tidy(&desk, Keep { former: 1, ..NO_RULE }).0, former(1));
    long_ago(&desk, first.image.unwrap());
    long_ago(&desk, second.image.unwrap());
    assert_eq!(tidy(&desk, Keep { former_days: 30, ..NO_RULE }).0, former(2));
    // In force, and the one that was reviewed.
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM inspections"), 3);
    assert_eq!(
        desk.one::<i64>(
            "SELECT count(*) FROM inspection_defects WHERE inspection_id NOT IN (SELECT inspection_id FROM inspections)"
        ),
        0
    );
}

#[test]
fn old_masks_go_and_images_that_people_use_keep_theirs() {
    let desk = Desk::open();
    let all = ["plain", "reviewed", "divided", "new"].map(|name| desk.inspect(&format!("{name}.png"), name.as_bytes()));
    let [plain, reviewed, divided, new] = all.each_ref().map(|admitted| admitted.image.unwrap());
    [plain, reviewed, divided].iter().for_each(|image| long_ago(&desk, *image));
    let sql =
        "INSERT INTO reviews (image_id, reviewer, at, decision, has_defect) VALUES (?1, 'ada', '2026', 'defect', 1)";
    desk.sql().execute(sql, [reviewed.to_string()]).unwrap();
    desk.sql().execute("UPDATE images SET side = 'train' WHERE image_id = ?1", [divided.to_string()]).unwrap();
    let (files, bytes) = ARTEFACTS;
    let rule = Keep { masks_days: 30, ..NO_RULE };
    let one = Tidied { files, bytes, ..Tidied::default() };
    assert_eq!(tidy(&desk, rule), (one, 2));
    assert_eq!([plain, new, reviewed, divided].map(|image| masks_of(&desk, image)), [0, 2, 2, 2]);
    assert_eq!(tidy(&desk, Keep { protect: Protect::Reviewed, ..rule }), (one, 1));
    assert_eq!(tidy(&desk, Keep { protect: Protect::Nothing, ..rule }), (one, 0));
    assert_eq!(masks_of(&desk, new), 2, "it is not old");
    // Inspected again, an image has its masks again.
    again(&desk, &all[0]);
    assert_eq!(masks_of(&desk, plain), 2);
}

#[test]
fn beyond_their_bound_the_oldest_pictures_go_and_come_back_with_their_captures() {
    let desk = Desk::open();
    let large = vec![7; 700 << 10];
    let content = |number: u8| [large.as_slice(), &[number]].concat();
    let all: Vec<Admitted> = (0..4).map(|n| desk.inspect(&format!("{n}.png"), &content(n))).collect();
    desk.sql().execute("UPDATE images SET side = 'val', split = 'val'", []).unwrap();
    let rule = Keep { pictures_mb: 2, protect: Protect::Nothing, ..NO_RULE };
    let (done, _) = tidy(&desk, rule);
    assert_eq!((done.pictures, done.bytes), (2, 2 * (large.len() as u64 + 1)));
    let there = |n: usize| desk.paths().images().join(format!("{n}.png")).exists();
    assert_eq!([0, 1, 2, 3].map(there), [false, false, true, true], "the oldest went");
    assert!((0..4).all(|n| desk.captures().join(format!("{n}.png")).exists()), "captures are never touched");
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM images WHERE split = 'val'"), 2, "without a picture on no side");
    assert_eq!(desk.reader().split_table().unwrap().no_picture, 2);
    again(&desk, &all[0]);
    assert!(there(0));
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM images WHERE split = 'val'"), 3, "and on its own side again");
}

#[test]
fn files_that_a_kill_left_go_at_the_next_start_and_those_made_again_stay() {
    let mut desk = Desk::open();
    let admitted = desk.inspect("a.png", b"a");
    let image = admitted.image.unwrap();
    let live = format!("{image}_core_mask.png");
    let left = desk.paths().masks().join(format!("{image}_ferrule_mask.png"));
    fs::write(&left, b"of an image whose row is gone").unwrap();
    let outside = desk.captures().join("a.png");
    let doomed = [live.clone(), format!("{image}_ferrule_mask.png"), "../../captures/a.png".into()];
    for name in &doomed {
        desk.sql().execute("INSERT INTO doomed VALUES ('masks', ?1)", [name]).unwrap();
    }
    desk.reopen();
    assert!(!left.exists());
    assert!(desk.paths().masks().join(live).exists(), "a row names it");
    assert!(outside.exists(), "a name that is a path is never followed");
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM doomed"), 0);
}
