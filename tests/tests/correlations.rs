//! `ferrule correlate`: pairs of pictures in the database, by a real engine's dataset, real workers, and SciPy.

use std::{collections::BTreeMap, fs, path::Path, process::Output};

use ferrule_core::{client::Client, protocol::Request, workspace::DatasetPaths};
use ferrule_tests::{HANG, Lab, peer, python, text};
use image::{GrayImage, Luma};
use serde_json::Value;

/// A dataset of simulated end faces, with its engine gone.
fn dataset(count: u64) -> Lab {
    let lab = Lab::new();
    lab.simulate(&lab.captures(), count, "demo-v1", 3);
    inspect(&lab, count);
    lab
}

/// Lets an engine take up what lies there until so many captures are done.
fn inspect(lab: &Lab, count: u64) {
    let engine = lab.start_engine();
    lab.wait_done(count);
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
}

fn correlate(lab: &Lab, arguments: &[&str]) -> Output {
    lab.run(&[&["correlate", "--json"], arguments].concat())
}

fn told(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

type Pairs = BTreeMap<(String, String), (Option<f64>, Option<f64>)>;

fn pairs(lab: &Lab) -> Pairs {
    let database = lab.database();
    let mut select = database.prepare("SELECT image_id_a, image_id_b, pearson, spearman FROM correlations").unwrap();
    let rows = select.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?)))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_pair_is_scipys_on_the_same_pixels() {
    let lab = dataset(11);
    GrayImage::from_pixel(640, 480, Luma([90])).save(lab.captures().join("constant.png")).unwrap();
    inspect(&lab, 12);
    // The constant picture shows no fibre; the whole picture has no place for one either.
    assert_eq!(told(&correlate(&lab, &["--mode", "full"]))["without_fibre"], 1);
    assert_eq!(lab.query_count("SELECT count(*) FROM correlations"), 55);
    let aligned = pairs(&lab);
    assert!(aligned.values().all(|(pearson, spearman)| pearson.is_some() && spearman.is_some()));
    let raw = told(&correlate(&lab, &["--mode", "full", "--grid", "raw:64"]));
    assert_eq!((&raw["pictures"], &raw["pairs"]), (&12.into(), &66.into()), "another grid begins anew");
    lab.audit();
    let Some(python) = python() else { return };
    let answer = peer(&python, "correlations.py", &[lab.dataset().as_path(), Path::new("raw-64.grids")]);
    assert_eq!((&answer["rows"], &answer["nulls"]), (&66.into(), &11.into()), "{answer:#}");
    assert_eq!((&answer["wrong"], &answer["unknown"]), (&serde_json::json!([]), &0.into()), "{answer:#}");
    told(&correlate(&lab, &["--mode", "full"]));
    assert_eq!(pairs(&lab), aligned, "the same again, bit by bit");
    let answer = peer(&python, "correlations.py", &[lab.dataset().as_path(), Path::new("aligned-256.grids")]);
    assert_eq!((&answer["rows"], &answer["wrong"]), (&55.into(), &serde_json::json!([])), "{answer:#}");
}

#[test]
fn a_later_run_compares_only_what_is_new_and_ends_where_a_fresh_one_does() {
    let lab = dataset(9);
    let first = told(&correlate(&lab, &["--mode", "top:2", "--grid", "64"]));
    assert_eq!((&first["pictures"], &first["fresh"]), (&9.into(), &9.into()));
    let again = told(&correlate(&lab, &["--mode", "top:2", "--grid", "64"]));
    assert_eq!((&again["fresh"], &again["pairs"], &again["removed"]), (&0.into(), &0.into(), &0.into()));
    lab.simulate(&lab.captures(), 14, "demo-v1", 3);
    inspect(&lab, 14);
    let more = told(&correlate(&lab, &["--mode", "top:2", "--grid", "64"]));
    assert_eq!((&more["pictures"], &more["fresh"]), (&14.into(), &5.into()));
    let grown = pairs(&lab);

    told(&correlate(&lab, &["--mode", "off"]));
    assert_eq!(pairs(&lab), Pairs::new());
    fs::remove_dir_all(lab.dataset().join(".grids")).unwrap();
    told(&correlate(&lab, &["--mode", "top:2", "--grid", "64"]));
    assert_eq!(pairs(&lab), grown);
    told(&correlate(&lab, &["--mode", "full", "--grid", "64"]));
    let all = pairs(&lab);
    assert_eq!(all.len(), 14 * 13 / 2);
    assert!(grown.iter().all(|(pair, values)| all[pair] == *values), "both ways to a coefficient give the same");
    let images: Vec<&String> = all.keys().flat_map(|(a, b)| [a, b]).collect();
    for image in images {
        let of = |pairs: &Pairs| {
            let mut of: Vec<_> =
                pairs.iter().filter(|((a, b), _)| a == image || b == image).map(|(_, values)| values.0).collect();
            of.sort_by(|a, b| b.partial_cmp(a).unwrap());
            of
        };
        assert_eq!(of(&grown)[..2], of(&all)[..2], "the two most alike of {image}");
    }
    lab.audit();
}

#[test]
fn a_picture_that_is_gone_costs_itself_alone_and_the_next_run_completes() {
    let lab = dataset(5);
    let (image, name): (String, String) = lab
        .database()
        .query_row("SELECT image_id, filename FROM images ORDER BY image_id LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let (file, aside) = (lab.dataset().join("images").join(name), lab.root().join("aside"));
    fs::rename(&file, &aside).unwrap();
    let output = correlate(&lab, &["--mode", "full", "--grid", "32"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["pairs"], &answer["failed"][0]["image_id"]), (&6.into(), &Value::from(image)));
    fs::rename(&aside, &file).unwrap();
    let answer = told(&correlate(&lab, &["--mode", "full", "--grid", "32"]));
    assert_eq!((&answer["fresh"], &answer["pairs"]), (&1.into(), &4.into()));
}

#[test]
fn what_cannot_be_done_is_said_in_a_line_with_the_remedy() {
    let lab = dataset(3);
    let refused = |arguments: &[&str], words: &[&str]| {
        let output = correlate(&lab, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    refused(&["--memory", "1"], &["1 MiB", "at least"]);
    refused(&["--grid", "7"], &["cells a side"]);
    refused(&["--mode", "most"], &["top:"]);
    let nowhere = lab.ferrule(&["correlate", "--root", "/nowhere"]).output().unwrap();
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("/nowhere"), "{}", text(&nowhere));
    // Beside an engine one command compares at a time.
    let _engine = lab.start_engine();
    let mut other = Client::connect(&DatasetPaths::at(lab.dataset())).unwrap();
    other.ask(Request::Correlate, HANG).unwrap();
    let second = correlate(&lab, &["--grid", "32"]);
    assert_eq!(second.status.code(), Some(1), "{}", text(&second));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another command"), "{}", text(&second));
    drop(other);
    lab.wait_for("the correlations to be free", || correlate(&lab, &["--grid", "32"]).status.success().then_some(()));
}
