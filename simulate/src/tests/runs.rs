//! Runs into a folder: complete, repeatable, interruptible, and nowhere else.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    num::NonZeroUsize,
    ops::ControlFlow,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::{Format, Preset, Progress, SimulateError, SimulateReport, SimulateSettings, file_name, run, truth::Coco};

fn settings(out: &Path, count: u64) -> SimulateSettings {
    SimulateSettings {
        out: out.into(),
        count,
        preset: Preset::find("burst-v1").unwrap(),
        rate: None,
        seed: 7,
        format: Format::Png,
        truth: None,
        threads: NonZeroUsize::new(2),
    }
}

fn go(settings: &SimulateSettings) -> Result<SimulateReport, SimulateError> {
    run(settings, &mut |_| ControlFlow::Continue(()))
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().to_string_lossy().into_owned(), fs::read(e.path()).unwrap())).collect()
}

fn truth(path: &Path) -> Coco {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes_whatever_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (one, many) = (folder.path().join("one"), folder.path().join("many"));
    go(&SimulateSettings { threads: NonZeroUsize::new(1), ..settings(&one, 30) }).unwrap();
    go(&SimulateSettings { threads: NonZeroUsize::new(5), ..settings(&many, 30) }).unwrap();
    assert_eq!(files(&one).len(), 30);
    assert_eq!(files(&one), files(&many));
    let text = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(text("one.truth.json"), text("many.truth.json"));
}

#[test]
fn the_truth_lists_every_picture_with_its_zones_and_defects_beside_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    let report = go(&settings(&out, 25)).unwrap();
    assert_eq!(report.truth, folder.path().join("set.truth.json"));
    assert_eq!(report.progress, Progress { count: 25, written: 25, kept: 0 });
    let coco = truth(&report.truth);
    assert!(coco.info.complete);
    let names: Vec<&str> = coco.categories.iter().map(|category| category.name.as_str()).collect();
    assert_eq!(names, ["scratch", "pit", "chip", "particle", "residue"]);
    assert_eq!(coco.images.len(), 25);
    for image in &coco.images {
        let size = image::image_dimensions(out.join(&image.file_name)).unwrap();
        assert_eq!(size, (image.width, image.height));
        let of_it: Vec<_> = coco.annotations.iter().filter(|a| a.image_id == image.id).collect();
        assert_eq!(of_it.is_empty(), image.label == crate::truth::Label::Clean);
        for annotation in of_it {
            let [x, y, w, h] = annotation.defect.bbox;
            assert!(x + w <= image.width && y + h <= image.height && w > 0 && h > 0);
            assert_eq!(annotation.defect.segmentation.size, [image.height, image.width]);
        }
    }
    // What other tools read: plain numbers and words where COCO and the zones' shape want them.
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&report.truth).unwrap()).unwrap();
    assert!(json["images"][0]["zones"]["core"]["ax"].is_f64());
    assert!(json["images"][0]["zones"]["cladding"]["angle_deg"].is_number());
    assert!(json["annotations"][0]["bbox"].as_array().unwrap().len() == 4);
    assert!(json["annotations"][0]["contrast_sigma"].is_number());
    assert!(report.with_defects > 5);
}

#[test]
fn names_carry_job_port_and_side() {
    let pattern = regex::Regex::new(r"^(?P<job>[^_]+)_(?P<port>P\d+)_(?P<side>[AB])_.*$").unwrap();
    let mut seen = std::collections::HashSet::new();
    for index in 0..2000 {
        let name = file_name(42, index, Format::Jpg);
        assert!(pattern.is_match(&name), "{name}");
        assert!(seen.insert(name));
    }
    assert_eq!(file_name(0, 123, Format::Png), "J0105_P02_B_000123.png");
}

#[test]
fn a_cancelled_run_leaves_whole_pictures_and_the_same_call_finishes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (out, whole) = (folder.path().join("set"), folder.path().join("whole"));
    go(&settings(&whole, 40)).unwrap();
    let cut = run(&settings(&out, 40), &mut |now| {
        if now.written >= 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert!(cut.cancelled && cut.progress.written >= 10 && cut.progress.written < 40, "{cut:?}");
    let there = files(&out);
    assert!(there.iter().all(|(name, bytes)| files(&whole).get(name) == Some(bytes)));
    let half = truth(&cut.truth);
    assert!(!half.info.complete);
    assert_eq!(half.images.len(), there.len());
    let rest = go(&settings(&out, 40)).unwrap();
    assert_eq!(rest.progress, Progress { count: 40, written: 40 - there.len() as u64, kept: there.len() as u64 });
    assert_eq!(files(&out), files(&whole));
    assert_eq!(truth(&rest.truth).images, truth(&folder.path().join("whole.truth.json")).images);
}

#[test]
fn a_killed_run_without_truth_is_taken_up_and_its_leftovers_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    go(&settings(&out, 12)).unwrap();
    let whole = files(&out);
    fs::remove_file(folder.path().join("set.truth.json")).unwrap();
    let (gone, half) = (file_name(7, 3, Format::Png), file_name(7, 5, Format::Png));
    fs::remove_file(out.join(&gone)).unwrap();
    fs::rename(out.join(&half), out.join(format!("{half}.part"))).unwrap();
    let report = go(&settings(&out, 12)).unwrap();
    assert_eq!((report.progress.written, report.progress.kept), (2, 10));
    assert_eq!(files(&out), whole);
    assert_eq!(truth(&report.truth).images.len(), 12);
}

#[test]
fn a_shorter_run_afterwards_keeps_the_other_pictures_in_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    go(&settings(&out, 12)).unwrap();
    let report = go(&settings(&out, 5)).unwrap();
    assert_eq!(report.progress.kept, 5);
    assert_eq!(truth(&report.truth).images.len(), 12);
}

#[test]
fn another_runs_folder_and_foreign_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    go(&settings(&out, 4)).unwrap();
    let other = go(&SimulateSettings { seed: 8, ..settings(&out, 4) }).unwrap_err();
    assert!(matches!(&other, SimulateError::OtherRun { run, .. } if run.contains("--seed 7")), "{other}");
    fs::remove_file(folder.path().join("set.truth.json")).unwrap();
    let strange = out.join(file_name(7, 2, Format::Png));
    fs::write(&strange, "mine").unwrap();
    let error = go(&settings(&out, 4)).unwrap_err();
    assert!(matches!(&error, SimulateError::Stranger(path) if *path == strange), "{error}");
    assert_eq!(fs::read(&strange).unwrap(), b"mine");
    let notes = folder.path().join("notes.json");
    fs::write(&notes, "{}").unwrap();
    let error = go(&SimulateSettings { truth: Some(notes.clone()), ..settings(&out, 4) }).unwrap_err();
    assert!(matches!(error, SimulateError::StrangeTruth(_)), "{error}");
    assert_eq!(fs::read(&notes).unwrap(), b"{}");
}

#[test]
fn a_link_with_a_pictures_name_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (out, treasure) = (folder.path().join("set"), folder.path().join("treasure"));
    fs::create_dir(&out).unwrap();
    fs::write(&treasure, "keep me").unwrap();
    let name = file_name(7, 0, Format::Png);
    std::os::unix::fs::symlink(&treasure, out.join(format!("{name}.part"))).unwrap();
    go(&settings(&out, 1)).unwrap();
    assert_eq!(fs::read(&treasure).unwrap(), b"keep me");
    let second = file_name(7, 1, Format::Png);
    std::os::unix::fs::symlink(&treasure, out.join(&second)).unwrap();
    let error = go(&settings(&out, 2)).unwrap_err();
    assert!(matches!(error, SimulateError::Stranger(_)), "{error}");
    assert_eq!(fs::read(&treasure).unwrap(), b"keep me");
}

#[test]
fn a_folder_may_have_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let names: [&[u8]; 6] = [b"-rf", b"new\nline", b"esc\x1b[31m", b"not\xff\xfeutf8", b"  ", b"a/../b.truth.json"];
    fs::create_dir(folder.path().join("a")).unwrap();
    for name in names {
        let out = folder.path().join(OsStr::from_bytes(name));
        let report = go(&settings(&out, 2)).unwrap();
        assert_eq!(files(&out).len(), 2, "{out:?}");
        let mut expected = out.file_name().unwrap().to_os_string();
        expected.push(".truth.json");
        assert_eq!(report.truth.file_name(), Some(expected.as_os_str()));
        assert_eq!(truth(&report.truth).images.len(), 2);
    }
    let slash = PathBuf::from(format!("{}/slash/", folder.path().display()));
    let report = go(&settings(&slash, 1)).unwrap();
    assert_eq!(report.truth, folder.path().join("slash.truth.json"));
    let up = folder.path().join("slash").join("..").join("slash").join(".");
    assert_eq!(go(&settings(&up, 1)).unwrap().progress.kept, 1);
}

#[test]
fn what_cannot_be_written_is_named_and_nothing_half_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let inside = go(&settings(&file.join("set"), 2)).unwrap_err();
    assert!(matches!(&inside, SimulateError::Folder { .. }) && inside.to_string().contains("file/set"), "{inside}");
    // A directory where a temporary file must go stands in for any failing write, and does so for root too.
    let out = folder.path().join("set");
    let name = file_name(7, 1, Format::Png);
    fs::create_dir_all(out.join(format!("{name}.part"))).unwrap();
    let error = go(&settings(&out, 3)).unwrap_err();
    assert!(matches!(&error, SimulateError::Write { path, .. } if path.ends_with(&name)), "{error}");
    assert!(!out.join(&name).exists());
    fs::remove_dir(out.join(format!("{name}.part"))).unwrap();
    let report = go(&settings(&out, 3)).unwrap();
    assert_eq!(report.progress.kept + report.progress.written, 3);
    assert!(files(&out).keys().all(|name| name.ends_with(".png")));
}

#[test]
fn a_rate_that_is_none_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = go(&SimulateSettings { rate: Some(rate), ..settings(&out, 1) }).unwrap_err();
        assert!(matches!(error, SimulateError::Rate(_)), "{error}");
    }
    assert!(!out.exists());
}

#[test]
fn with_a_rate_pictures_come_one_after_the_other_and_only_whole_ones_have_their_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    let start = std::time::Instant::now();
    let mut seen = Vec::new();
    let report = run(&SimulateSettings { rate: Some(40.0), ..settings(&out, 12) }, &mut |now| {
        for (name, bytes) in files(&out) {
            if name.ends_with(".png") {
                image::load_from_memory(&bytes).expect("a picture's name is only on a whole picture");
            }
        }
        seen.push(now.written);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(start.elapsed().as_secs_f64() >= 11.0 / 40.0, "{:?}", start.elapsed());
    assert!(seen.is_sorted() && !report.cancelled);
    go(&settings(&folder.path().join("fast"), 12)).unwrap();
    assert_eq!(files(&out), files(&folder.path().join("fast")));
}

#[test]
fn a_jpeg_of_the_microscope_is_the_file_itself_compressed_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut preset = Preset::find("burst-v1").unwrap();
    for microscope in &mut preset.microscopes {
        microscope.camera_jpeg = 1.0;
    }
    let given = SimulateSettings { preset: preset.clone(), format: Format::Jpg, ..settings(folder.path(), 4) };
    go(&given).unwrap();
    for index in 0..4 {
        let file = image::open(folder.path().join(file_name(7, index, Format::Jpg))).unwrap().into_luma8();
        assert_eq!(file, crate::render(&preset, 7, index).0);
    }
}

#[test]
fn every_format_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let out = folder.path().join(format.extension());
        go(&SimulateSettings { format, ..settings(&out, 3) }).unwrap();
        for (name, bytes) in files(&out) {
            assert!(name.ends_with(format.extension()));
            let picture = image::load_from_memory(&bytes).unwrap();
            assert_eq!((picture.width(), picture.height()), (160, 120));
        }
        assert_eq!(format.extension().parse::<Format>(), Ok(format));
    }
    assert!("gif".parse::<Format>().unwrap_err().contains("png"));
}
