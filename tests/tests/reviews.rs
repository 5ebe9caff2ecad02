//! What people decided goes into a dataset and comes out of it whole: by hand, by CSV, by COCO, with and without an engine.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use ferrule_tests::{Lab, files_below, text};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

fn database(dataset: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(dataset.join("index.sqlite"), flags).unwrap()
}

fn number(dataset: &Path, sql: &str) -> u64 {
    database(dataset).query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
}

/// Label in force and label found, by file name.
fn labels(dataset: &Path) -> BTreeMap<String, (Option<bool>, Option<bool>)> {
    let database = database(dataset);
    let mut select = database.prepare("SELECT filename, has_defect, has_defect_found FROM images").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// A bare dataset of simulated pictures in the lab.
fn built(lab: &Lab, name: &str) -> PathBuf {
    let raw = lab.root().join("raw");
    if !raw.exists() {
        lab.simulate(&raw, 10, "demo-v1", 41);
    }
    let output = lab.ferrule(&["build", "raw", "--out", name]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    lab.root().join(name)
}

fn review(lab: &Lab, arguments: &[&str]) -> Value {
    let output = lab.ferrule(&["review"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[test]
fn a_person_s_word_is_the_label_until_it_is_withdrawn_and_the_side_comes_back() {
    let lab = Lab::new();
    let dataset = built(&lab, "out");
    let before = labels(&dataset);
    let name = before.keys().next().unwrap().clone();
    let found = before[&name].1.unwrap();
    let side = |expected: bool| {
        let split: Option<String> = database(&dataset)
            .query_row("SELECT split FROM images WHERE filename = ?1", [&name], |row| row.get(0))
            .unwrap();
        assert_eq!(split.is_some(), expected);
        split
    };
    let first = side(true);
    let say = |line: &str| {
        fs::write(lab.root().join("list.csv"), format!("filename,has_defect\n{line}\n")).unwrap();
        review(&lab, &["import", "list.csv", "--reviewer", "anna", "--root", "out", "--json"])
    };
    let answer = say(&format!("{name},{}", u8::from(!found)));
    assert_eq!((&answer["added"], &answer["known"]), (&1.into(), &0.into()));
    assert_eq!(labels(&dataset)[&name], (Some(!found), Some(found)), "the found label is kept beside");
    assert_eq!(say(&format!("{name},{}", u8::from(!found)))["known"], 1, "said twice is said once");
    assert_eq!(side(true), first);

    fs::write(lab.root().join("list.csv"), format!("filename,decision\n{name},withdrawn\n")).unwrap();
    review(&lab, &["import", "list.csv", "--reviewer", "anna", "--root", "out", "--json"]);
    assert_eq!(labels(&dataset)[&name], (Some(found), Some(found)));
}

#[test]
fn csv_takes_every_word_of_everybody_into_another_dataset() {
    let lab = Lab::new();
    let dataset = built(&lab, "out");
    let images = labels(&dataset);
    let names: Vec<&String> = images.keys().collect();
    let list = format!(
        "filename,reviewer,at,decision,type,box_x,box_y,box_width,box_height,mask,note\r\n\
         {a},anna,2026-01-01T10:00:00Z,clean,,,,,,,\r\n{a},bert,2026-01-02T10:00:00Z,defect,,,,,,,\"=no, \"\"really\"\"\"\r\n\
         {b},anna,2026-01-01T11:00:00Z,missed,pit,20,30,4,2,30:20:4 31:20:3,\r\n",
        a = names[0],
        b = names[1]
    );
    fs::write(lab.root().join("list.csv"), list).unwrap();
    assert_eq!(review(&lab, &["import", "list.csv", "--root", "out", "--json"])["added"], 3);
    assert_eq!(labels(&dataset)[names[0]].0, Some(true), "the last word holds");
    let conflicts = review(&lab, &["conflicts", "--root", "out", "--json"]);
    assert_eq!((&conflicts["filename"], conflicts["words"].as_array().unwrap().len()), (&names[0].as_str().into(), 2));

    review(&lab, &["export", "--out", "all.csv", "--root", "out"]);
    let exported = fs::read_to_string(lab.root().join("all.csv")).unwrap();
    assert!(!exported.contains(",=no") && exported.contains("'=no"), "a formula for a spreadsheet: {exported}");
    let other = built(&lab, "other");
    assert_eq!(review(&lab, &["import", "all.csv", "--root", "other", "--json"])["added"], 3);
    assert_eq!(review(&lab, &["import", "all.csv", "--root", "other", "--json"])["known"], 3);
    assert_eq!(labels(&other), labels(&dataset));
    review(&lab, &["export", "--out", "again.csv", "--root", "other"]);
    assert_eq!(fs::read_to_string(lab.root().join("again.csv")).unwrap(), exported);
}

#[test]
fn coco_takes_labels_and_defects_into_another_dataset_and_found_ones_are_matched() {
    let lab = Lab::new();
    let dataset = built(&lab, "out");
    // What was found, proposed to a tool for labelling, comes back as a person's word.
    review(&lab, &["export", "--proposals", "--out", "proposals.json", "--root", "out"]);
    let mut coco: Value = serde_json::from_slice(&fs::read(lab.root().join("proposals.json")).unwrap()).unwrap();
    let found = coco["annotations"].as_array().unwrap().len() as u64;
    assert!(found > 0 && coco["images"].as_array().unwrap().len() == 10, "{coco:#}");
    let size = (coco["images"][0]["width"].as_u64().unwrap(), coco["images"][0]["height"].as_u64().unwrap());
    let drawn = serde_json::json!({
        "id": 999, "image_id": coco["images"][0]["id"], "category_id": 2, "iscrowd": 0,
        "bbox": [size.0 - 9, size.1 - 8, 6, 5], "segmentation": [],
    });
    coco["annotations"].as_array_mut().unwrap().push(drawn);
    fs::write(lab.root().join("labelled.json"), coco.to_string()).unwrap();
    let answer = review(&lab, &["import", "labelled.json", "--reviewer", "cvat", "--root", "out", "--json"]);
    assert_eq!(answer["added"], 10 + found + 1, "{answer:#}");
    let matched = "SELECT count(*) FROM review_matches WHERE overlap > 0.99";
    let count = |dataset: &Path, sql: &str| number(dataset, sql);
    assert_eq!(count(&dataset, matched), found);
    let missed = "SELECT count(*) FROM reviews WHERE decision = 'missed'";
    assert_eq!(count(&dataset, missed), 1, "what nobody had found stays, without a match");

    review(&lab, &["export", "--out", "reviewed.json", "--root", "out"]);
    let again = review(&lab, &["import", "reviewed.json", "--root", "out", "--json"]);
    assert_eq!(
        (&again["added"], &again["known"]),
        (&0.into(), &(10 + found + 1).into()),
        "its own file changes nothing"
    );
    let other = built(&lab, "other");
    assert_eq!(review(&lab, &["import", "reviewed.json", "--root", "other", "--json"])["added"], 10 + found + 1);
    assert_eq!(labels(&other), labels(&dataset));
    review(&lab, &["export", "--out", "back.json", "--root", "other"]);
    let file = |name: &str| -> Value { serde_json::from_slice(&fs::read(lab.root().join(name)).unwrap()).unwrap() };
    assert_eq!(file("back.json"), file("reviewed.json"));
}

#[test]
fn reviews_of_defects_are_matched_again_to_each_new_inspection() {
    let lab = Lab::new();
    let dataset = built(&lab, "out");
    review(&lab, &["export", "--proposals", "--out", "proposals.json", "--root", "out"]);
    review(&lab, &["import", "proposals.json", "--root", "out", "--json"]);
    let matches = || -> u64 {
        let sql = "SELECT count(*) FROM review_matches m JOIN reviews r USING (review_id) JOIN defects d
                   ON d.image_id = r.image_id AND d.defect_id = m.defect_id";
        number(&dataset, sql)
    };
    let before = matches();
    assert!(before > 0);
    // Another pipeline without detectors finds none of them; the first one finds them again.
    fs::write(lab.root().join("blind.toml"), "[pipeline]\ndetect = []\n").unwrap();
    for (settings, expected) in [(Some("blind.toml"), 0), (None, before)] {
        let mut command = lab.ferrule(&["build", "raw", "--out", "out"]);
        command.args(settings.map(|file| ["--cfg", file]).into_iter().flatten());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(matches(), expected);
    }
    let reviews = number(&dataset, "SELECT count(*) FROM reviews WHERE defect_id IS NOT NULL");
    assert_eq!(reviews, before, "those without a match stay");
}

#[test]
fn a_running_engine_stores_reviews_and_wrong_ones_are_listed() {
    let lab = Lab::new();
    let _engine = lab.start_engine();
    lab.simulate(&lab.captures(), 4, "burst-v1", 42);
    lab.wait_done(4);
    let mut names: Vec<String> =
        files_below(&lab.captures()).iter().map(|file| file.file_name().unwrap().display().to_string()).collect();
    names.sort();
    let found = labels(&lab.dataset())[&names[0]].1.unwrap();
    let list = format!(
        "filename,decision,type,box_x,box_y,box_width,box_height\n{a},{word},,,,,\nnobody.png,clean,,,,,\n\
         {b},maybe,,,,,\n{b},missed,pit,0,0,100000,5\n",
        a = names[0],
        b = names[1],
        word = if found { "clean" } else { "defect" },
    );
    let file = lab.root().join("list.csv");
    fs::write(&file, list).unwrap();
    let output = lab.ferrule(&["review", "import", "--json"]).arg(&file).arg(&lab.workspace).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["added"], answer["failed"].as_array().unwrap().len()), (&1.into(), 3), "{answer:#}");
    assert_eq!(labels(&lab.dataset())[&names[0]].0, Some(!found));
    lab.audit();
}
