//! `ferrule export`: a dataset made by a real engine, read back by other people's tools, and with hostile names in it.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Output};

use ferrule_tests::{Lab, files_below, peer, python, text};
use image::{GrayImage, Luma};
use rusqlite::Connection;
use serde_json::Value;

/// Simulated end faces, one with a hostile name, and a picture without a fibre; the engine is gone.
fn dataset(count: u64) -> Lab {
    let lab = Lab::new();
    lab.simulate(&lab.captures(), count, "paper-v1", 7);
    let first = files_below(&lab.captures()).into_iter().min().unwrap();
    fs::rename(first, lab.captures().join("=1+1<script>alert('x')<,\"b\" .png")).unwrap();
    GrayImage::from_fn(160, 120, |x, y| Luma([(x * 7 + y * 13) as u8 % 200]))
        .save(lab.captures().join("-noise.tif"))
        .unwrap();
    let engine = lab.start_engine();
    lab.wait_done(count + 1);
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
    lab
}

/// Gives images their sides, the same ones whatever the engine did when it was idle.
fn divide(lab: &Lab) {
    let database = Connection::open(lab.dataset().join("index.sqlite")).unwrap();
    let sides = "UPDATE images SET split = CASE n % 4 WHEN 0 THEN 'val' WHEN 1 THEN 'test' ELSE 'train' END
                 FROM (SELECT image_id AS id, row_number() OVER (ORDER BY filename) AS n FROM images) WHERE id = image_id
                 AND has_defect IS NOT NULL";
    database.execute(sides, []).unwrap();
}

fn export(lab: &Lab, arguments: &[&str]) -> Output {
    lab.run(&[&["export"], arguments].concat())
}

fn exported(lab: &Lab, arguments: &[&str]) {
    let output = export(lab, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
}

const EVERYTHING: [&[&str]; 8] = [
    &["csv"],
    &["masks", "--format", "both"],
    &["coco"],
    &["tfrecord"],
    &["parquet"],
    &["yolo"],
    &["augmented", "--count", "2", "--seed", "4"],
    &["report"],
];

/// Every exported file with its content.
fn contents(lab: &Lab) -> BTreeMap<PathBuf, Vec<u8>> {
    let folders = ["features", "masks", "coco", "tfrecords", "parquet", "yolo", "augmented"]
        .map(|folder| lab.dataset().join(folder));
    let files = folders.iter().flat_map(|folder| files_below(folder)).chain([lab.dataset().join("report.html")]);
    files.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

#[test]
fn other_peoples_tools_read_every_format_and_find_what_the_database_holds() {
    let lab = dataset(9);
    divide(&lab);
    assert!(lab.run(&["correlate", "--grid", "32", "--mode", "top:3"]).status.success());
    EVERYTHING.iter().for_each(|arguments| exported(&lab, arguments));
    let before = contents(&lab);
    assert!(before.keys().any(|file| file.ends_with("tfrecords/train-00000-of-00001.tfrecord")));
    EVERYTHING.iter().for_each(|arguments| exported(&lab, arguments));
    let after = contents(&lab);
    for (file, bytes) in &after {
        assert!(before.get(file) == Some(bytes), "{} differs the second time", file.display());
    }
    assert_eq!(before.len(), after.len());
    let Some(python) = python() else { return };
    let answer = peer(&python, "exports.py", &[lab.dataset()]);
    assert_eq!(answer["wrong_count"], 0, "{answer:#}");
    let read = &answer["read"];
    for what in [
        "intensity_stats.csv",
        "trends.csv",
        "geometry.csv",
        "defects.csv",
        "correlations.csv",
        "npy",
        "coco",
        "tfrecord",
        "yolo",
        "augmented",
    ] {
        assert!(read[what].as_u64() > Some(3), "{what}: {read:#}");
    }
}

#[test]
fn exported_annotations_are_a_truth_file_that_the_pipeline_agrees_with() {
    let lab = dataset(4);
    exported(&lab, &["coco", "--split", "all"]);
    let truth = lab.dataset().join("coco/annotations_all.json");
    let told: Value = serde_json::from_slice(&fs::read(&truth).unwrap()).unwrap();
    assert_eq!(told["images"].as_array().unwrap().len(), 5);
    let output = lab
        .ferrule(&["evaluate", "--json", "--images"])
        .arg(lab.dataset().join("images"))
        .arg(&truth)
        .output()
        .unwrap();
    let score: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    let defects = &score["defects"];
    assert_eq!((&defects["recall"]["value"], &defects["precision"]["value"]), (&1.0.into(), &1.0.into()), "{score:#}");
}

#[test]
fn a_name_is_text_in_a_page_and_in_a_table() {
    let lab = dataset(3);
    exported(&lab, &["report", "--worst", "50"]);
    exported(&lab, &["csv"]);
    let page = fs::read_to_string(lab.dataset().join("report.html")).unwrap();
    assert!(!page.contains("<script"), "markup out of a name");
    assert!(page.contains("Content-Security-Policy") && !page.contains("http://") && !page.contains("https://"));
    let named = page.contains("1+1&lt;script&gt;alert(&#39;x&#39;)");
    let worst: i64 =
        lab.query_count("SELECT count(*) FROM defects JOIN images USING (image_id) WHERE filename LIKE '%script%'");
    assert!(named || worst == 0, "the picture with the hostile name has defects and is not shown");
    let geometry = fs::read_to_string(lab.dataset().join("features/geometry.csv")).unwrap();
    assert!(geometry.contains("\"%3D1+1<script>alert('x')<,\"\"b\"\" .png\""), "{geometry}");
    assert!(!geometry.split([',', '\n']).any(|cell| cell.starts_with(['=', '@', '+'])), "{geometry}");
}

#[test]
fn a_report_is_printed_by_the_browser_that_is_there_and_without_one_the_page_stays() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = dataset(3);
    let report = |path: &std::path::Path| {
        lab.ferrule(&["export", "report", "--pdf"]).arg(&lab.workspace).env("PATH", path).output().unwrap()
    };
    let nowhere = report(lab.root());
    assert_eq!(nowhere.status.code(), Some(1), "{}", text(&nowhere));
    assert!(text(&nowhere).contains("open ") && lab.dataset().join("report.html").exists(), "{}", text(&nowhere));

    // A browser that prints what it was given, as far as this test cares.
    let browsers = lab.root().join("browsers");
    fs::create_dir(&browsers).unwrap();
    let script = "#!/bin/sh\nfor word; do case $word in --print-to-pdf=*) to=${word#*=} ;; esac; page=$word; done\n\
                  { echo %PDF-1.4; /bin/cat \"$page\"; } > \"$to\"\n";
    fs::write(browsers.join("chromium"), script).unwrap();
    fs::set_permissions(browsers.join("chromium"), fs::Permissions::from_mode(0o755)).unwrap();
    let printed = report(&browsers);
    assert!(printed.status.success(), "{}", text(&printed));
    let pdf = fs::read(lab.dataset().join("report.pdf")).unwrap();
    let page = fs::read(lab.dataset().join("report.html")).unwrap();
    assert!(pdf.starts_with(b"%PDF") && pdf.ends_with(&page), "another page was printed");

    fs::write(browsers.join("chromium"), "#!/bin/sh\nexit 3\n").unwrap();
    let failed = report(&browsers);
    assert!(failed.status.code() == Some(1) && text(&failed).contains("chromium"), "{}", text(&failed));
}

#[test]
fn a_forged_name_is_not_followed_out_of_the_dataset() {
    let lab = dataset(3);
    fs::write(lab.root().join("secret.png"), "nobody's business").unwrap();
    let database = Connection::open(lab.dataset().join("index.sqlite")).unwrap();
    let forge =
        "UPDATE images SET filename = '../../../secret.png' WHERE image_id = (SELECT min(image_id) FROM images)";
    database.execute(forge, []).unwrap();
    for format in ["tfrecord", "yolo"] {
        let output = export(&lab, &[format, "--split", "all", "--json"]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let failed = told["failed"].as_array().unwrap();
        assert_eq!(failed.len(), 1, "{told:#}");
        assert!(failed[0]["error"].as_str().unwrap().contains("leads out"), "{told:#}");
    }
    let all = files_below(&lab.dataset());
    let leaked = all
        .iter()
        .filter(|file| fs::read(file).is_ok_and(|bytes| bytes.windows(17).any(|it| it == b"nobody's business")));
    assert_eq!(leaked.count(), 0);
}

#[test]
fn what_cannot_be_exported_is_said_in_a_line_and_nothing_half_is_left() {
    let lab = dataset(2);
    // An engine that was idle for a moment has divided them.
    let database = Connection::open(lab.dataset().join("index.sqlite")).unwrap();
    database.execute("UPDATE images SET split = NULL", []).unwrap();
    let output = export(&lab, &["coco"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--split all"), "{said}");
    let blocked = lab.root().join("blocked");
    fs::write(&blocked, "a file").unwrap();
    let output = lab.ferrule(&["export", "csv", "--out"]).arg(&blocked).arg(&lab.workspace).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("blocked") && said.contains("--out"), "{said}");
    let nowhere = lab.ferrule(&["export", "csv", "--root", "/nowhere"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/nowhere/index.sqlite"), "{}", text(&nowhere));
    let halves = files_below(lab.root()).into_iter().filter(|file| file.extension().is_some_and(|it| it == "part"));
    assert_eq!(halves.count(), 0);
}

/// Builds a dataset of these pictures with everything, and gives its exported files by their names in it.
fn built(lab: &Lab, raw: &std::path::Path, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let out = lab.root().join(name);
    let output = lab
        .ferrule(&["build", "--json", "--coco", "--tfrecord", "--augment", "1", "--correlations", "top:3", "--out"])
        .args([out.as_path(), raw])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let told: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    assert!(told["correlations"]["pictures"].as_u64() > Some(5), "{told:#}");
    let folders = ["features", "splits", "coco", "tfrecords", "augmented", "masks"].map(|folder| out.join(folder));
    let files = folders.iter().flat_map(|folder| files_below(folder));
    files.map(|file| (file.strip_prefix(&out).unwrap().to_owned(), fs::read(&file).unwrap())).collect()
}

#[test]
fn a_second_build_and_a_fresh_one_export_the_same_bytes() {
    let lab = Lab::new();
    let raw = lab.root().join("raw");
    lab.simulate(&raw, 9, "paper-v1", 12);
    let first = built(&lab, &raw, "one");
    for file in
        ["features/correlations.csv", "coco/annotations_train.json", "augmented/manifest.csv", "splits/train.csv"]
    {
        assert!(first.contains_key(std::path::Path::new(file)), "{file} is missing: {:?}", first.keys());
    }
    for (again, what) in [(built(&lab, &raw, "one"), "a second build"), (built(&lab, &raw, "two"), "a fresh build")] {
        assert_eq!(again.keys().collect::<Vec<_>>(), first.keys().collect::<Vec<_>>(), "{what}");
        let differ: Vec<_> =
            again.iter().filter(|(file, bytes)| first[*file] != **bytes).map(|(file, _)| file).collect();
        assert!(differ.is_empty(), "{what} changes {differ:?}");
    }
    let rows = |folder: &str| {
        let file = first.get(std::path::Path::new(&format!("{folder}.csv"))).unwrap();
        String::from_utf8_lossy(file).lines().count() - 1
    };
    assert!(rows("features/correlations") >= 9 * 3 / 2 && rows("augmented/manifest") <= 9);
}
