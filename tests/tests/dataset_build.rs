//! A folder of pictures becomes a dataset that nobody repairs by hand: `ferrule build`, run again, killed, interrupted, fed
//! with what is wrong; and the sides of the split that it gives.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use ferrule_tests::{Lab, files_below, text};
use image::{DynamicImage, GrayImage, imageops};
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Settings for a disk that is small on purpose.
const NO_RESERVE: &str = "[dataset]\nmin_free_mb = 0\n";

struct Shop {
    lab: Lab,
}

impl Shop {
    fn new() -> Self {
        let shop = Self { lab: Lab::new() };
        fs::write(shop.at("plain.toml"), NO_RESERVE).unwrap();
        shop
    }

    fn at(&self, name: &str) -> PathBuf {
        self.lab.root().join(name)
    }

    /// Draws pictures into a folder.
    fn draw(&self, folder: &str, count: u64, preset: &str, seed: u64) -> Vec<PathBuf> {
        self.lab.simulate(&self.at(folder), count, preset, seed);
        let mut files = files_below(&self.at(folder));
        files.sort();
        files
    }

    fn command(&self, raw: &[&str], out: &str, more: &[&str]) -> Command {
        let mut command = self.lab.ferrule(&["build", "--cfg", "plain.toml"]);
        command.args(raw).args(["--out", out]).args(more);
        command
    }

    fn build(&self, raw: &[&str], out: &str, more: &[&str]) -> Output {
        self.command(raw, out, more).output().unwrap()
    }

    fn built(&self, raw: &[&str], out: &str, more: &[&str]) -> String {
        let output = self.build(raw, out, more);
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn database(&self, out: &str) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(self.at(out).join("index.sqlite"), flags).unwrap()
    }

    fn count(&self, out: &str, sql: &str) -> i64 {
        self.database(out).query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Side of each image, by file name.
    fn sides(&self, out: &str) -> BTreeMap<String, Option<String>> {
        let database = self.database(out);
        let mut select = database.prepare("SELECT filename, split FROM images").unwrap();
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }

    /// Every file of a dataset that others read, with its content.
    fn content(&self, out: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let root = self.at(out);
        let folders = ["images", "masks", "splits"].map(|folder| root.join(folder));
        let files = folders.iter().flat_map(|folder| files_below(folder));
        files.map(|file| (file.strip_prefix(&root).unwrap().to_owned(), fs::read(&file).unwrap())).collect()
    }

    fn audit(&self, out: &str) {
        let database = self.database(out);
        let integrity: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(integrity, "ok");
        assert!(!database.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap());
        assert_eq!(files_below(&self.at(out).join(".staging")), Vec::<PathBuf>::new());
        for name in self.sides(out).keys() {
            assert!(self.at(out).join("images").join(name).is_file(), "{name} has no picture");
        }
    }
}

/// One line on standard error that says all of it, and this status.
fn refused(output: &Output, status: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{}", text(output));
    let line = said.lines().find(|line| line.starts_with("ferrule: ")).unwrap_or_else(|| panic!("{}", text(output)));
    for word in words {
        assert!(line.contains(word), "`{word}` is not in: {line}");
    }
}

#[test]
fn a_build_is_the_same_whatever_the_workers_and_a_second_one_does_nothing() {
    let shop = Shop::new();
    shop.draw("raw", 40, "burst-v1", 5);
    let first = shop.built(&["raw"], "one", &["--jobs", "1"]);
    assert!(first.contains("40 inspected") && first.contains("splits: train"), "{first}");
    shop.built(&["raw"], "two", &["--jobs", "3"]);
    assert_eq!(shop.content("one"), shop.content("two"));
    assert_eq!(shop.sides("one"), shop.sides("two"));
    shop.audit("one");

    let rows = "SELECT count(*) FROM inspections";
    let before = (shop.content("one"), shop.count("one", rows), shop.count("one", "SELECT count(*) FROM swaps"));
    let again = shop.built(&["raw"], "one", &[]);
    assert!(again.contains("0 inspected, 40 known"), "{again}");
    assert_eq!((shop.content("one"), shop.count("one", rows), shop.count("one", "SELECT count(*) FROM swaps")), before);

    let other = shop.built(&["raw"], "three", &["--seed", "9"]);
    assert!(other.contains("40 inspected"));
    assert_ne!(shop.sides("one"), shop.sides("three"), "another seed draws others");
}

#[test]
fn new_pictures_and_another_pipeline_are_all_that_is_inspected_again_even_where_the_original_is_gone() {
    let shop = Shop::new();
    let files = shop.draw("raw", 12, "burst-v1", 6);
    shop.built(&["raw"], "out", &[]);
    let sides = shop.sides("out");
    shop.lab.simulate(&shop.at("raw/later"), 3, "burst-v1", 60);
    let more = shop.built(&["raw"], "out", &[]);
    assert!(more.contains("3 inspected, 12 known"), "{more}");
    let now = shop.sides("out");
    assert!(sides.iter().all(|(name, side)| now[name] == *side), "an image moved");

    fs::remove_file(&files[0]).unwrap();
    fs::write(shop.at("plain.toml"), format!("{NO_RESERVE}[label]\nmin_confidence = 0.99\n")).unwrap();
    let again = shop.built(&["raw"], "out", &[]);
    assert!(again.contains("15 inspected, 14 known"), "{again}");
    let pipelines = "SELECT count(DISTINCT pipeline_id) FROM images JOIN inspections USING (inspection_id)";
    assert_eq!(shop.count("out", pipelines), 1);
    assert_eq!(shop.count("out", "SELECT count(*) FROM captures WHERE state = 'failed'"), 0);
    shop.audit("out");
}

#[test]
fn names_follow_the_order_of_paths_and_one_content_is_one_image() {
    let shop = Shop::new();
    let files = shop.draw("drawn", 3, "demo-v1", 7);
    for folder in ["raw/b", "raw/a", "raw/c"] {
        fs::create_dir_all(shop.at(folder)).unwrap();
    }
    fs::copy(&files[0], shop.at("raw/a/shot.png")).unwrap();
    fs::copy(&files[1], shop.at("raw/b/shot.png")).unwrap();
    fs::copy(&files[0], shop.at("raw/c/other.png")).unwrap();
    // Another size, colour, 16 bits, a name that a spreadsheet would calculate with; and what is no picture.
    let picture = image::open(&files[2]).unwrap();
    picture.resize(500, 500, imageops::FilterType::Triangle).into_rgb8().save(shop.at("raw/=cmd.JPG")).unwrap();
    DynamicImage::ImageLuma16(picture.into_luma16()).save(shop.at("raw/deep.tiff")).unwrap();
    fs::write(shop.at("raw/Thumbs.db"), "x").unwrap();
    let said = shop.built(&["raw/*", "raw/a"], "out", &["--jobs", "3"]);
    assert!(said.contains("5 pictures") && said.contains("1 duplicates, 1 other files"), "{said}");
    let names: BTreeSet<String> = shop.sides("out").into_keys().collect();
    let second: String = shop
        .database("out")
        .query_row("SELECT image_id FROM captures WHERE path LIKE '%/b/shot.png'", [], |row| row.get(0))
        .unwrap();
    let expected = ["%3Dcmd.JPG".into(), "deep.tiff".into(), "shot.png".into(), format!("shot-{second}.png")];
    assert_eq!(names, expected.into());
    shop.audit("out");
}

#[test]
fn a_build_that_is_killed_or_interrupted_is_finished_by_the_same_command() {
    let shop = Shop::new();
    shop.draw("raw", 120, "burst-v1", 8);
    let begun = |least: i64| {
        let mut child = shop.command(&["raw"], "out", &["--jobs", "2"]);
        let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        shop.lab.wait_for("some images", || {
            let database = shop.at("out").join("index.sqlite");
            let count = || -> rusqlite::Result<i64> {
                Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?.query_row(
                    "SELECT count(*) FROM images",
                    [],
                    |row| row.get(0),
                )
            };
            (count().ok()? >= least).then_some(())
        });
        child
    };
    let mut killed = begun(10);
    killed.kill().unwrap();
    assert_eq!(killed.wait().unwrap().signal(), Some(9));
    let interrupted = begun(shop.count("out", "SELECT count(*) FROM images") + 10);
    kill_process(Pid::from_child(&interrupted), Signal::INT).unwrap();
    let output = interrupted.wait_with_output().unwrap();
    refused(&output, 1, &["interrupted", "same command"]);
    assert_eq!(shop.count("out", "SELECT count(*) FROM captures WHERE state = 'running'"), 0);
    let stands = shop.count("out", "SELECT count(*) FROM images");
    assert!(stands < 120, "it was interrupted after its end");

    let said = shop.built(&["raw"], "out", &[]);
    assert!(said.contains(&format!("{} inspected", 120 - stands)), "{said}");
    assert_eq!(shop.count("out", "SELECT count(*) FROM images"), 120);
    assert_eq!(shop.count("out", "SELECT count(*) FROM inspections"), 120, "none twice");
    shop.audit("out");
    shop.built(&["raw"], "fresh", &[]);
    assert_eq!(shop.content("out"), shop.content("fresh"), "as if nothing had happened");
}

#[test]
fn what_cannot_be_read_is_listed_and_the_rest_is_built() {
    let shop = Shop::new();
    let files = shop.draw("raw", 6, "burst-v1", 9);
    let whole = fs::read(&files[1]).unwrap();
    fs::write(&files[1], &whole[..whole.len() / 2]).unwrap();
    fs::write(shop.at("raw/no.png"), "no picture").unwrap();
    let output = shop.build(&["raw"], "out", &["--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let lines: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let failed: Vec<&str> = lines.iter().filter_map(|line| line["failed"].as_str()).collect();
    assert_eq!(failed.len(), 2, "{lines:#?}");
    assert!(
        failed.iter().any(|path| path.ends_with("raw/no.png")) && lines.iter().any(|line| line["error"].is_string())
    );
    let summary = lines.last().unwrap();
    assert_eq!(
        (&summary["inspected"], &summary["failed"], &summary["splits"]["given"]),
        (&5.into(), &2.into(), &5.into())
    );

    // Mended, or taken away: the next build is whole.
    fs::write(&files[1], whole).unwrap();
    fs::remove_file(shop.at("raw/no.png")).unwrap();
    let said = shop.built(&["raw"], "out", &[]);
    assert!(said.contains("1 inspected, 5 known, 0 failed"), "{said}");
    shop.audit("out");
}

#[test]
fn what_cannot_be_built_is_refused_in_one_line_and_nothing_is_touched() {
    let shop = Shop::new();
    shop.draw("raw", 2, "burst-v1", 10);
    fs::create_dir_all(shop.at("photos/images")).unwrap();
    fs::write(shop.at("photos/images/holiday.jpg"), "mine").unwrap();
    refused(&shop.build(&["raw"], "photos", &[]), 2, &["photos", "is no dataset", "--out"]);
    assert_eq!(files_below(&shop.at("photos")), [shop.at("photos/images/holiday.jpg")]);

    refused(&shop.build(&["gone"], "out", &[]), 2, &["gone", "no such file"]);
    refused(&shop.build(&["raw/*.gif"], "out", &[]), 2, &["*.gif", "no file has a name like that"]);
    fs::create_dir(shop.at("empty")).unwrap();
    refused(&shop.build(&["empty"], "out", &[]), 2, &["no pictures", "png"]);
    refused(&shop.build(&["raw"], "out", &["--train", "0.9", "--val", "0.2"]), 2, &["0.9", "0.2", "do not add up"]);
    refused(&shop.build(&["raw"], "out", &["--train", "-1"]), 2, &["do not add up"]);
    refused(&shop.build(&["raw"], "out", &["--group-by", "(job"]), 2, &["--group-by"]);
    refused(&shop.build(&["raw"], "out", &["--group-by", "job"]), 2, &["names no group"]);
    refused(&shop.build(&["raw"], "/proc/dataset", &[]), 2, &["/proc/dataset", "write"]);
    assert!(!shop.at("out").exists(), "a refused build left something");

    fs::write(shop.at("settings.toml"), "[dataset]\ntrain = 0.8\nval = 0.3\n").unwrap();
    let output = shop.lab.ferrule(&["build", "raw", "--out", "out", "--cfg", "settings.toml"]).output().unwrap();
    refused(&output, 2, &["settings.toml:3", "dataset.val", "at most 1"]);

    shop.built(&["raw"], "out", &[]);
    refused(&shop.build(&["out/images"], "out", &[]), 2, &["in the dataset itself"]);
    let database = Connection::open(shop.at("out/index.sqlite")).unwrap();
    database.pragma_update(None, "user_version", 999).unwrap();
    drop(database);
    refused(&shop.build(&["raw"], "out", &[]), 2, &["index.sqlite", "999"]);
}

#[test]
fn one_writer_a_dataset_at_a_time() {
    let shop = Shop::new();
    shop.draw("raw", 60, "burst-v1", 11);
    let mut first = shop.command(&["raw"], "out", &["--jobs", "1"]).stdout(Stdio::null()).spawn().unwrap();
    shop.lab.wait_for("the first build holds the dataset", || shop.at("out/index.sqlite").exists().then_some(()));
    let second = shop.build(&["raw"], "out", &[]);
    if first.try_wait().unwrap().is_none() {
        refused(&second, 2, &["another command", &first.id().to_string()]);
    }
    assert!(first.wait().unwrap().success());
    shop.audit("out");

    let engine = shop.lab.start_engine();
    let dataset = shop.lab.dataset();
    let output = shop.build(&["raw"], dataset.to_str().unwrap(), &[]);
    refused(&output, 2, &["an engine already runs", &engine.pid().to_string(), "ferrule stop"]);
}

#[test]
fn a_disk_that_fills_half_way_ends_the_build_in_one_line_and_the_next_one_completes() {
    let shop = Shop::new();
    shop.draw("raw", 60, "demo-v1", 12);
    fs::create_dir(shop.at("small")).unwrap();
    let binary = ferrule_tests::binary();
    // In a namespace of its own, so that anybody may mount; the disk lives as long as the script.
    let script = format!(
        "mount -t tmpfs -o size=6m none small || exit 77
         build() {{ {binary} build raw --out small/out --cfg plain.toml; echo \"status $?\"; }}
         build; mount -o remount,size=300m none small; build; build; cp -r small/out whole",
        binary = binary.display()
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("XDG_CACHE_HOME", shop.at("cache"))
        .current_dir(shop.lab.root())
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else { return eprintln!("notice: NOT RUN, there is no unshare") };
    if output.status.code() == Some(77) || String::from_utf8_lossy(&output.stderr).contains("unshare:") {
        return eprintln!("notice: NOT RUN, this user may not mount a small disk: {}", text(&output));
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let statuses: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("status ")).collect();
    assert_eq!(statuses, ["1", "0", "0"], "{}", text(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.lines().any(|line| line.contains("make room") && line.contains("build again")), "{stderr}");
    assert!(said.contains("0 inspected, 60 known"), "{said}");
    shop.audit("whole");
}

#[test]
fn three_pictures_are_divided_and_said_to_be_few() {
    let shop = Shop::new();
    shop.draw("raw", 3, "burst-v1", 13);
    let said = shop.built(&["raw"], "out", &[]);
    assert!(said.contains("train 1, val 1, test 1") && said.contains("3 images are few"), "{said}");
    let manifest = fs::read_to_string(shop.at("out/splits/val.csv")).unwrap();
    assert!(manifest.starts_with("image_id,filename,has_defect\r\n") && manifest.lines().count() == 2, "{manifest}");
}

/// The same exposure as other hands pass it on.
fn variants(of: &Path, to: &Path) {
    let picture: GrayImage = image::open(of).unwrap().into_luma8();
    let (w, h) = picture.dimensions();
    let stem = of.file_stem().unwrap().to_str().unwrap();
    let save = |name: &str, picture: &GrayImage| picture.save(to.join(format!("{stem}__{name}.png"))).unwrap();
    for quality in [85, 95] {
        let file = fs::File::create(to.join(format!("{stem}__q{quality}.jpg"))).unwrap();
        image::codecs::jpeg::JpegEncoder::new_with_quality(file, quality).encode_image(&picture).unwrap();
    }
    save("crop", &imageops::crop_imm(&picture, w / 40, h / 50, w - w / 15, h - h / 18).to_image());
    save("shift", &GrayImage::from_fn(w, h, |x, y| *picture.get_pixel(x.saturating_sub(7), y.saturating_sub(5))));
    for (name, scale) in [("smaller", 0.8), ("larger", 1.25)] {
        let (w, h) = ((f64::from(w) * scale) as u32, (f64::from(h) * scale) as u32);
        save(name, &imageops::resize(&picture, w, h, imageops::FilterType::CatmullRom));
    }
}

#[test]
fn versions_of_one_exposure_stay_on_one_side_and_others_are_not_taken_for_one() {
    let shop = Shop::new();
    let files = shop.draw("raw", 14, "demo-v1", 14);
    for file in &files[..6] {
        variants(file, &shop.at("raw"));
    }
    shop.built(&["raw"], "out", &[]);
    let database = shop.database("out");
    let mut select = database
        .prepare("SELECT i.filename, o.filename FROM images i JOIN images o ON o.image_id = i.near_of")
        .unwrap();
    let exposure = |name: &str| name.split("__").next().unwrap().split('.').next().unwrap().to_owned();
    let mut joined: BTreeMap<String, usize> = BTreeMap::new();
    for row in select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap() {
        let (image, first) = row.unwrap();
        assert_eq!(exposure(&image), exposure(&first), "{image} is not {first}");
        *joined.entry(exposure(&image)).or_default() += 1;
    }
    assert_eq!(joined.len(), 6, "{joined:?}");
    assert!(joined.values().all(|count| *count == 6), "the first and six others: {joined:?}");
    let mut sides: BTreeMap<String, BTreeSet<Option<String>>> = BTreeMap::new();
    for (name, side) in shop.sides("out") {
        sides.entry(exposure(&name)).or_default().insert(side);
    }
    assert!(sides.values().all(|sides| sides.len() == 1), "{sides:?}");

    let shown = shop.lab.ferrule(&["split", "--show", "--json", "--root", "out"]).output().unwrap();
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let groups = shown["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 6, "{shown:#}");
    assert!(groups.iter().all(|group| group["near"] == true && group["images"].as_array().unwrap().len() == 7));
}

#[test]
fn a_group_by_name_stays_whole_and_is_explained() {
    let shop = Shop::new();
    let files = shop.draw("drawn", 30, "burst-v1", 15);
    fs::create_dir(shop.at("raw")).unwrap();
    for (n, file) in files.iter().enumerate() {
        fs::copy(file, shop.at(&format!("raw/c{}-{n:02}.png", n % 6))).unwrap();
    }
    shop.built(&["raw"], "out", &["--group-by", "^(?<connector>c[0-9]+)-"]);
    let mut sides: BTreeMap<String, BTreeSet<Option<String>>> = BTreeMap::new();
    for (name, side) in shop.sides("out") {
        sides.entry(name[..2].to_owned()).or_default().insert(side);
    }
    assert!(sides.len() == 6 && sides.values().all(|sides| sides.len() == 1), "{sides:?}");
    let shown = shop.lab.ferrule(&["split", "--show", "--root", "out"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("connector=c3") && shown.contains("5 images"), "{shown}");
}

#[test]
fn a_live_workspace_gives_sides_through_the_same_code_and_never_moves_them() {
    let lab = Lab::new();
    let _engine = lab.start_engine();
    lab.simulate(&lab.captures(), 10, "burst-v1", 16);
    let on_sides = || lab.query_count("SELECT count(*) FROM images WHERE split IS NOT NULL");
    lab.wait_for("ten images on sides", || (lab.count("done") == 10 && on_sides() == 10).then_some(()));
    let sides = || -> BTreeMap<String, String> {
        let database = lab.database();
        let mut select = database.prepare("SELECT filename, split FROM images WHERE split IS NOT NULL").unwrap();
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let before = sides();
    lab.simulate(&lab.root().join("more"), 10, "burst-v1", 17);
    for file in files_below(&lab.root().join("more")) {
        fs::copy(&file, lab.captures().join(format!("second-{}", file.file_name().unwrap().display()))).unwrap();
    }
    lab.wait_for("twenty images on sides", || (on_sides() == 20).then_some(()));
    let after = sides();
    assert!(before.iter().all(|(name, side)| after[name] == *side));
    lab.wait_for("manifests", || {
        let lines = |name: &str| {
            fs::read_to_string(lab.dataset().join("splits").join(name)).ok().map(|text| text.lines().count() - 1)
        };
        (lines("train.csv")? + lines("val.csv")? + lines("test.csv")? == 20).then_some(())
    });
    lab.audit();
}
