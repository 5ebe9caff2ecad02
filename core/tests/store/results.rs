//! What an answer leaves in the database and on disk.

use std::{fs, os::unix::fs::symlink, path::Path};

use ferrule_core::{
    report::{CaptureState, Failure, Missing, Outcome},
    settings::ImageLinks,
    store::{Admitted, Finish, Receipt, Requeue, Write},
    worker::messages::{ArtefactFolder, StagedFile},
};

use crate::desk::{Desk, failure, inspection};

#[test]
fn an_inspection_reads_back_as_it_was_written() {
    let desk = Desk::open();
    let admitted = desk.inspect("a.png", b"picture a");
    let detail = desk.reader().capture(admitted.capture).unwrap().unwrap();
    assert_eq!(detail.inspection, Some(inspection(admitted.image.unwrap())));
    assert_eq!(detail.filename.as_deref(), Some("a.png"));
    assert_eq!(detail.generation, Some(1));
    assert_eq!(detail.row.defects, Some(2));
    assert_eq!(detail.row.verdict, Some(Outcome::Fail));
    assert_eq!(detail.row.ms, Some(17.75));
    assert_eq!(desk.reader().latest_done().unwrap(), Some(detail));
    desk.assert_sound();
}

#[test]
fn the_four_source_tables_show_the_current_inspection() {
    let desk = Desk::open();
    let image = desk.inspect("a.png", b"picture a").image.unwrap().to_string();
    let sql = desk.sql();
    let (name, x, core, clad, ferrule, label): (String, f64, f64, f64, f64, i64) = sql
        .query_row(
            "SELECT filename, centre_x, core_r, clad_r, ferrule_r, has_defect FROM images WHERE image_id = ?1",
            [&image],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)),
        )
        .unwrap();
    assert_eq!((name.as_str(), x, label), ("a.png", 320.5, 1));
    assert!((core - 360f64.sqrt()).abs() < 1e-9 && (clad - 21000f64.sqrt()).abs() < 1e-9);
    // No outline of the contact zone: it reaches the edge farthest from the centre.
    assert_eq!(ferrule, 320.5);
    let (regions, mean, p75): (i64, f64, f64) = sql
        .query_row("SELECT count(*), min(mean), max(p75) FROM region_intensity WHERE image_id = ?1", [&image], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!((regions, mean, p75), (3, 120.5, 130.0));
    assert_eq!(desk.one::<f64>("SELECT grad_mean FROM region_trend WHERE region = 'core'"), 2.5);
    assert_eq!(
        desk.one::<String>("SELECT group_concat(dtype) FROM (SELECT dtype FROM defects ORDER BY defect_id)"),
        "pit,scratch"
    );
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM defect_parts"), 2);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM correlations"), 0);
    // Every row leads to the plug-in's build and parameters.
    let parameters: String = desk.one(
        "SELECT g.parameters FROM defects d JOIN inspections n USING (inspection_id)
         JOIN pipeline_stages g USING (pipeline_id) WHERE d.plugin = g.plugin || ' ' || g.version LIMIT 1",
    );
    assert_eq!(parameters, r#"{"gamma":1.5}"#);
}

#[test]
fn files_are_in_place_and_staging_is_empty() {
    let desk = Desk::open();
    let image = desk.inspect("a.png", b"picture a").image.unwrap();
    let paths = desk.paths();
    assert_eq!(fs::read(paths.images().join("a.png")).unwrap(), b"picture a");
    assert_eq!(fs::read(paths.masks().join(format!("{image}_core_mask.png"))).unwrap(), b"made by a worker");
    assert!(paths.defects().join(format!("{image}_defects.json")).is_file());
    assert_eq!(fs::read_dir(paths.staging().join("worker-1")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(paths.staging().join("store")).unwrap().count(), 0);
}

#[test]
fn two_pictures_of_one_name_keep_both() {
    let desk = Desk::open();
    desk.inspect("one/a.png", b"picture a");
    let second = desk.inspect("two/a.png", b"picture b");
    let name = format!("a-{}.png", second.image.unwrap());
    assert_eq!(fs::read(desk.paths().images().join("a.png")).unwrap(), b"picture a");
    assert_eq!(fs::read(desk.paths().images().join(name)).unwrap(), b"picture b");
}

#[test]
fn one_answer_is_never_two_rows() {
    let desk = Desk::open();
    let admitted = desk.start("a.png", b"picture a");
    let answer = desk.answer(&admitted);
    desk.finish(answer.clone());
    assert_eq!(desk.ask(Write::Finish(Box::new(answer))), Receipt::Dropped(admitted.capture));
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM inspections"), 1);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM inspection_defects"), 2);
}

#[test]
fn a_failure_is_a_row_with_its_reason_and_can_be_tried_again() {
    let desk = Desk::open();
    let admitted = desk.start("a.png", b"half a picture");
    let mut answer = desk.answer(&admitted);
    answer.result = Err(failure("the file ends in the middle"));
    let finished = desk.finish(answer);
    assert_eq!(finished.state, CaptureState::Failed);
    let row = desk.reader().capture(admitted.capture).unwrap().unwrap().row;
    assert_eq!(row.failure.unwrap().message, "the file ends in the middle");
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM images"), 0);

    let receipt = desk.ask(Write::Requeue(Requeue::AllFailed));
    assert_eq!(receipt, Receipt::Requeued { queued: 1, unread: vec![] });
    desk.run(admitted.capture);
    assert_eq!(desk.finish(desk.answer(&admitted)).state, CaptureState::Done);
    assert_eq!(desk.reader().capture(admitted.capture).unwrap().unwrap().row.failure, None);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM inspections"), 2);
    desk.assert_sound();
}

#[test]
fn what_failed_for_the_moment_goes_back_until_it_has_been_tried_often_enough() {
    let desk = Desk::open();
    let for_the_moment = |message: &str| Failure { transient: true, ..failure(message) };
    let (broken, unlucky) = (desk.start("a.png", b"half a picture"), desk.start("b.png", b"picture b"));
    let fail = |admitted: &Admitted, failure: Failure| {
        desk.finish(Finish { result: Err(failure), ..desk.answer(admitted) });
    };
    fail(&broken, failure("the file ends in the middle"));
    fail(&unlucky, for_the_moment("quota exceeded"));
    let again = |attempts| desk.ask(Write::Requeue(Requeue::Transient { attempts }));
    let queued = |queued| Receipt::Requeued { queued, unread: vec![] };
    assert_eq!(again(0), queued(0), "it was tried once");
    assert_eq!(again(1), queued(1));
    assert_eq!((desk.state(broken.capture), desk.state(unlucky.capture)), (CaptureState::Failed, CaptureState::Queued));
    desk.run(unlucky.capture);
    fail(&unlucky, for_the_moment("quota exceeded"));
    assert_eq!(again(1), queued(0), "often enough");
    assert_eq!(again(u32::MAX), queued(1), "the trouble is over");
    desk.assert_sound();
}

#[test]
fn a_new_inspection_takes_over_when_it_is_committed_and_the_former_stays_in_the_history() {
    let desk = Desk::open();
    let admitted = desk.inspect("a.png", b"picture a");
    let image = admitted.image.unwrap();
    let receipt = desk.ask(Write::Requeue(Requeue::Images(vec![image])));
    assert_eq!(receipt, Receipt::Requeued { queued: 1, unread: vec![] });
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM defects"), 2, "the former result is in force until then");
    desk.run(admitted.capture);
    let mut answer = desk.answer(&admitted);
    if let Ok(inspection) = &mut answer.result {
        inspection.defects.clear();
        inspection.has_defect = Some(false);
    }
    answer.artefacts.retain(|file| file.folder == ArtefactFolder::Defects);
    desk.finish(answer);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM defects"), 0);
    assert_eq!(desk.one::<i64>("SELECT has_defect FROM images"), 0);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM inspection_defects"), 2);
    assert!(!desk.paths().masks().join(format!("{image}_core_mask.png")).exists(), "a stale mask stayed");
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM images"), 1);
    desk.assert_sound();
}

#[test]
fn a_failed_re_inspection_leaves_the_former_result_in_force() {
    let desk = Desk::open();
    let admitted = desk.inspect("a.png", b"picture a");
    desk.ask(Write::Requeue(Requeue::Images(vec![admitted.image.unwrap()])));
    desk.run(admitted.capture);
    let mut answer = desk.answer(&admitted);
    answer.result = Err(failure("the worker died"));
    assert_eq!(desk.finish(answer).state, CaptureState::Failed);
    assert!(desk.reader().capture(admitted.capture).unwrap().unwrap().inspection.is_some());
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM defects"), 2);
}

#[test]
fn what_is_incomplete_because_of_a_plugin_goes_back_into_the_queue() {
    let desk = Desk::open();
    let admitted = desk.start("a.png", b"picture a");
    let mut answer = desk.answer(&admitted);
    if let Ok(inspection) = &mut answer.result {
        inspection.incomplete = vec![Missing { plugin: "detect-scratch 1.0.0".into(), reason: "it crashed".into() }];
        inspection.has_defect = None;
    }
    assert_eq!(desk.finish(answer).incomplete, ["detect-scratch 1.0.0"]);
    desk.inspect("b.png", b"picture b");
    let release = |plugin: &str| desk.ask(Write::Requeue(Requeue::IncompleteFor(plugin.parse().unwrap())));
    assert_eq!(release("detect"), Receipt::Requeued { queued: 0, unread: vec![] });
    assert_eq!(release("detect-scratch"), Receipt::Requeued { queued: 1, unread: vec![] });
    assert_eq!(desk.state(admitted.capture), CaptureState::Queued);
}

#[test]
fn a_picture_that_changed_after_its_inspection_is_not_taken() {
    let desk = Desk::open();
    let admitted = desk.start("a.png", b"picture a");
    fs::write(&admitted.path, b"another one").unwrap();
    let finished = desk.finish(desk.answer(&admitted));
    let failure = finished.failure.unwrap();
    assert!(failure.transient, "{failure}");
    assert_eq!(fs::read_dir(desk.paths().images()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(desk.paths().masks()).unwrap().count(), 0);
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM images"), 0);
}

#[test]
fn a_picture_that_is_gone_fails_with_a_clear_line() {
    let desk = Desk::open();
    let admitted = desk.start("a.png", b"picture a");
    fs::remove_file(&admitted.path).unwrap();
    let failure = desk.finish(desk.answer(&admitted)).failure.unwrap();
    assert_eq!(failure.stage, "copy");
    assert!(failure.message.contains("a.png"), "{failure}");
}

#[test]
fn links_are_made_where_they_are_chosen() {
    use std::os::unix::fs::MetadataExt;
    let desk = Desk::with_links(ImageLinks::Hardlink);
    let path = desk.inspect("a.png", b"picture a").path;
    let inode = |path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(desk.paths().images().join("a.png")), inode(path));

    let desk = Desk::with_links(ImageLinks::Symlink);
    let path = desk.inspect("a.png", b"picture a").path;
    assert_eq!(fs::read_link(desk.paths().images().join("a.png")).unwrap(), path);
}

/// Puts something at the first path that leads to the second.
type Trap = fn(&Path, &Path);

#[test]
fn only_plain_regular_files_are_taken_out_of_staging() {
    let desk = Desk::open();
    let secret = desk.folder.path().join("secret");
    fs::write(&secret, b"secret").unwrap();
    let traps: [(&str, Trap); 3] = [
        ("a symlink", |path, secret| symlink(secret, path).unwrap()),
        ("a second name", |path, secret| fs::hard_link(secret, path).unwrap()),
        ("a folder", |path, _| fs::create_dir(path).unwrap()),
    ];
    for (what, trap) in traps {
        let admitted = desk.start(&format!("{what}.png"), what.as_bytes());
        let answer = desk.answer(&admitted);
        let path = answer.staging.as_ref().unwrap().join(&answer.artefacts[0].name);
        fs::remove_file(&path).unwrap();
        trap(&path, &secret);
        let failure = desk.finish(answer).failure.expect(what);
        assert_eq!(failure.stage, "artefacts", "{what}");
    }
    let admitted = desk.start("names.png", b"names");
    for name in ["../../index.sqlite", "core_mask.png", "a/b"] {
        let mut answer = desk.answer(&admitted);
        let image = answer.image;
        answer.artefacts = vec![StagedFile { folder: ArtefactFolder::Masks, name: format!("{image}_{name}") }];
        if name == "core_mask.png" {
            answer.artefacts[0].name = name.into();
        }
        assert_eq!(desk.finish(answer).failure.unwrap().stage, "artefacts", "{name}");
        desk.ask(Write::Requeue(Requeue::AllFailed));
        desk.run(admitted.capture);
    }
    assert!(desk.paths().database().is_file());
    assert_eq!(fs::read_dir(desk.paths().masks()).unwrap().count(), 0);
}

#[test]
fn an_answer_whose_files_went_with_an_unwanted_one_of_the_same_picture_is_tried_again() {
    let desk = Desk::open();
    let (late, other) = (desk.start("late.png", b"picture"), desk.start("other.png", b"another"));
    let unwanted = Finish { capture: other.capture, ..desk.answer(&late) };
    let wanted = desk.answer(&late);
    assert_eq!(desk.ask(Write::Finish(Box::new(unwanted))), Receipt::Dropped(other.capture));
    let failure = desk.finish(wanted).failure.unwrap();
    assert!(failure.transient && failure.message.contains("_core_mask.png"), "{failure}");
}

#[test]
fn an_answer_that_breaks_a_rule_of_the_schema_costs_its_capture_only() {
    let desk = Desk::open();
    let (bad, good) = (desk.start("bad.png", b"bad"), desk.start("good.png", b"good"));
    let mut answer = desk.answer(&bad);
    if let Ok(inspection) = &mut answer.result {
        inspection.zones.core.as_mut().unwrap().cx = f64::NAN;
    }
    let other = desk.answer(&good);
    desk.submit(Write::Finish(Box::new(answer)));
    desk.submit(Write::Finish(Box::new(other)));
    for (capture, state) in [(bad.capture, CaptureState::Failed), (good.capture, CaptureState::Done)] {
        let Receipt::Finished(finished) = desk.receipt() else { panic!("not finished") };
        assert_eq!((finished.capture, finished.state), (capture, state));
    }
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM zones"), 2);
    assert_eq!(fs::read_dir(desk.paths().images()).unwrap().count(), 1);
    desk.assert_sound();
}

#[test]
fn no_fibre_is_a_result_without_label_and_radii() {
    let desk = Desk::open();
    let admitted = desk.start("a.png", b"a wall");
    let mut answer = desk.answer(&admitted);
    if let Ok(inspection) = &mut answer.result {
        inspection.zones = Default::default();
        inspection.defects.clear();
        inspection.has_defect = None;
    }
    assert_eq!(desk.finish(answer).state, CaptureState::Done);
    assert!(
        desk.one::<bool>("SELECT coalesce(core_r, clad_r, ferrule_r, has_defect, has_defect_by) IS NULL FROM images")
    );
    assert_eq!(desk.one::<i64>("SELECT count(*) FROM zones"), 0);
}
