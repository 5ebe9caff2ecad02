//! Plug-ins written in C: found, probed and run like any other, and believed no more.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use ferrule_core::{
    host::{
        Catalogue, LibraryStore, Policy, SearchPaths,
        card::{ParameterKind, Pixels, Profile, Slot},
        probe,
    },
    ids::PipelineId,
    report::{DefectKind, Inspection, Outcome, Severity},
    settings::Trust,
    worker::messages::{ParameterValue, Pipeline, Stage},
};
use image::{GrayImage, Luma};

use super::stage::{Bench, Worker, plugin, program};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Runs a C compiler and gives the library that it made.
fn compiled(mut command: Command, library: PathBuf) -> PathBuf {
    let output = command.output().expect("a C compiler, `cc`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Whatever the umask of whoever tests: a library that its group may write is not trusted.
    fs::set_permissions(&library, fs::Permissions::from_mode(0o755)).unwrap();
    library
}

/// The example, built with the command that stands in its first comment.
fn example(bench: &Bench) -> PathBuf {
    let folder = root().join("plugins/abi");
    let text = fs::read_to_string(folder.join("examples/bright_spots.c")).unwrap();
    let line = text.lines().find_map(|line| line.trim_start_matches([' ', '*']).strip_prefix("cc ")).unwrap();
    let library = bench.path("bright_spots.so");
    let arguments =
        line.split_whitespace().map(|word| if word == "bright_spots.so" { library.as_os_str() } else { word.as_ref() });
    let mut command = Command::new("cc");
    command.args(arguments).current_dir(folder);
    compiled(command, library.clone())
}

/// The misbehaving plug-ins, with these definitions.
fn misbehaving(bench: &Bench, definitions: &[&str]) -> PathBuf {
    let library = bench.path(&format!("misbehaving{}.so", definitions.concat()));
    let mut command = Command::new("cc");
    command
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-fPIC", "-shared", "-I"])
        .arg(root().join("plugins/abi/include"))
        .args(definitions.iter().map(|definition| format!("-D{definition}")))
        .arg("-o")
        .arg(&library)
        .arg(root().join("tests/misbehaving/misbehaving.c"));
    compiled(command, library.clone())
}

/// A plug-in of a library, as a pipeline names it.
fn stage(bench: &Bench, library: &Path, id: &str, version: &str, parameters: &[(&str, ParameterValue)]) -> Stage {
    let store = LibraryStore::at(bench.path("store"));
    let build = store.put_file(library).unwrap();
    Stage {
        plugin: plugin(id),
        version: version.into(),
        library: store.path(&build),
        build,
        script: None,
        files: Vec::new(),
        profile: Profile::Narrow,
        accepts: Vec::new(),
        parameters: parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    }
}

fn text(value: &str) -> ParameterValue {
    ParameterValue::Text(value.into())
}

fn probed(bench: &Bench, library: &Path) -> Result<usize, String> {
    let store = LibraryStore::at(bench.path("store"));
    let build = store.put_file(library).unwrap();
    probe::run(&program(), &store.path(&build)).unwrap().cards.map(|cards| cards.len())
}

/// A fibre of 72 px in a picture of 120, with bright spots: 3 x 3 and 2 x 6 pixels on the cladding, one pixel there, and
/// 3 x 3 on the ferrule.
fn spotted(bench: &Bench) -> PathBuf {
    let spots = [(80, 60, 3, 3), (59, 30, 2, 6), (40, 60, 1, 1), (100, 60, 3, 3)];
    let picture = GrayImage::from_fn(120, 120, |x, y| {
        let inside =
            |(left, top, w, h): &(u32, u32, u32, u32)| (*left..left + w).contains(&x) && (*top..top + h).contains(&y);
        // A little texture.
        Luma([if spots.iter().any(inside) { 200 } else { 100 + ((x * 7 + y * 13) % 5) as u8 }])
    });
    let path = bench.path("captures/spotted.png");
    picture.save(&path).unwrap();
    path
}

/// The misbehaving segmenter, measurer and grader in Rust around a detector.
fn around(bench: &Bench, detect: Stage) -> Pipeline {
    let name = format!("{} {:?}", detect.build, detect.parameters);
    Pipeline { id: PipelineId::of(&name), detect: vec![detect], ..bench.pipeline("none", "none") }
}

/// All four slots in C, with a fault in one of them.
fn all_in_c(bench: &Bench, library: &Path, faulty: &str, fault: &str) -> Pipeline {
    let stage = |slot: &str| {
        let fault = if slot == faulty || faulty == "all" { fault } else { "none" };
        vec![stage(bench, library, &format!("c-{slot}"), "0.1.0", &[("fault", text(fault))])]
    };
    Pipeline {
        id: PipelineId::of(&format!("c {faulty} {fault}")),
        segment: stage("segment"),
        detect: stage("detect"),
        measure: stage("measure"),
        grade: stage("grade"),
        ..bench.pipeline("none", "none")
    }
}

#[test]
fn the_example_is_catalogued_with_its_parameters_like_any_plugin() {
    let bench = Bench::new();
    let library = example(&bench);
    let store = LibraryStore::at(bench.path("store"));
    let policy = Policy { trust: Trust::Owner, pinned: &[], python: "python3" };
    let catalogue = Catalogue::build(&SearchPaths::only(vec![library]), &store, &program(), policy);
    assert_eq!(catalogue.refused, []);
    let card = &catalogue.get(&plugin("bright-spots")).unwrap().card;
    assert_eq!((card.name().as_str(), card.slot, card.profile), ("bright-spots 1.0.0", Slot::Detect, Profile::Narrow));
    assert_eq!(
        (card.summary.as_str(), &card.accepts),
        ("spots brighter than the mean around them", &vec![Pixels::Gray8])
    );
    let parameters: Vec<_> =
        card.parameters.iter().map(|it| (it.name.as_str(), &it.kind, &it.default, it.unit.as_str())).collect();
    let options = vec!["glass".to_owned(), "everywhere".to_owned()];
    let expected = [
        ("contrast", &ParameterKind::Real { low: 1.0, high: 255.0 }, &ParameterValue::Real(40.0), "gray"),
        ("radius", &ParameterKind::Integer { low: 2, high: 200 }, &ParameterValue::Integer(12), "px"),
        ("min_area", &ParameterKind::Integer { low: 1, high: 1_000_000 }, &ParameterValue::Integer(4), "px"),
        ("where", &ParameterKind::Choice { options }, &text("glass"), ""),
    ];
    assert_eq!(parameters, expected);
}

#[test]
fn the_example_finds_the_planted_spots_and_heeds_its_parameters() {
    let bench = Bench::new();
    let (library, capture) = (example(&bench), spotted(&bench));
    let mut worker = bench.worker();
    let mut inspect = |parameters: &[(&str, ParameterValue)]| -> Inspection {
        worker.configure(&around(&bench, stage(&bench, &library, "bright-spots", "1.0.0", parameters))).unwrap();
        let inspection = worker.inspection(&bench.job(&capture));
        assert_eq!(inspection.incomplete, []);
        inspection
    };
    let found = inspect(&[]);
    let places: Vec<_> = found.defects.iter().map(|defect| (defect.bbox, defect.area_px)).collect();
    assert_eq!(places.len(), 2, "{places:?}");
    assert!(places.contains(&([80, 60, 3, 3], 9)) && places.contains(&([59, 30, 2, 6], 12)), "{places:?}");
    assert_eq!(found.has_defect, Some(true));
    let spot = found.defects.iter().find(|defect| defect.area_px == 12).unwrap();
    assert_eq!(
        (spot.kind, spot.severity, spot.plugin.as_str()),
        (DefectKind::Particle, Severity::Low, "bright-spots 1.0.0")
    );
    assert_eq!((spot.x, spot.y, spot.length_px, spot.width_px, spot.angle_deg), (59.5, 32.5, 6.0, 2.0, 90.0));
    assert_eq!(spot.mask, (30..36).map(|y| [y, 59, 2]).collect::<Vec<_>>());
    assert!((spot.confidence - (1.0 - 0.4 * 4.0 / 12.0)).abs() < 1e-12);

    assert_eq!(inspect(&[("where", text("everywhere"))]).defects.len(), 3, "and the one on the ferrule");
    assert_eq!(inspect(&[("min_area", ParameterValue::Integer(1))]).defects.len(), 3, "and the single pixel");
    // A whole number where a real one is wanted.
    assert_eq!(inspect(&[("contrast", ParameterValue::Integer(150))]).defects.len(), 0);
}

#[test]
fn parameters_of_a_plugin_in_c_are_checked_before_it_is_asked() {
    let bench = Bench::new();
    let library = example(&bench);
    let mut worker = bench.worker();
    let mut refused = |parameters: &[(&str, ParameterValue)]| {
        let detect = stage(&bench, &library, "bright-spots", "1.0.0", parameters);
        worker.configure(&around(&bench, detect)).unwrap_err()
    };
    let unknown = refused(&[("contrst", ParameterValue::Real(40.0))]);
    assert!(
        unknown.ends_with("bright-spots has no parameter `contrst`; it has contrast, radius, min_area, where"),
        "{unknown}"
    );
    let range = refused(&[("radius", ParameterValue::Integer(1))]);
    assert!(range.ends_with("parameter `radius` is 1, expected a whole number from 2 to 200"), "{range}");
    let option = refused(&[("where", text("core"))]);
    assert!(option.ends_with("parameter `where` is \"core\", expected one of glass, everywhere"), "{option}");
    let nul = misbehaving(&bench, &[]);
    let refused = |worker: &mut Worker, note: &str| {
        let detect = stage(&bench, &nul, "c-detect", "0.1.0", &[("note", text(note))]);
        worker.configure(&around(&bench, detect)).unwrap_err()
    };
    assert!(refused(&mut worker, "a\0b").contains("parameter `note` holds a NUL"));
    assert_eq!(refused(&mut worker, "refuse me"), "c-detect: refused as asked", "the plug-in's own words");
}

#[test]
fn an_error_of_the_example_costs_its_own_results_in_its_own_words() {
    let bench = Bench::new();
    let library = example(&bench);
    let capture = bench.capture("small.png", 12, 40);
    let mut worker = bench.worker();
    worker.configure(&around(&bench, stage(&bench, &library, "bright-spots", "1.0.0", &[]))).unwrap();
    let inspection = worker.inspection(&bench.job(&capture));
    assert_eq!(inspection.incomplete.len(), 1);
    let missing = &inspection.incomplete[0];
    assert_eq!(missing.plugin, "bright-spots 1.0.0");
    assert_eq!(missing.reason, "the picture is smaller than the surroundings of one pixel; lower `radius`");
    assert_eq!((inspection.has_defect, inspection.features.len()), (None, 1), "the others answered");
}

#[test]
fn every_slot_in_c_gives_what_the_same_plugins_in_rust_give() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 120, 90);
    let library = misbehaving(&bench, &[]);
    let mut worker = bench.worker();
    let mut inspect = |pipeline: &Pipeline| {
        worker.configure(pipeline).unwrap();
        // Names and times are what may differ.
        let text = serde_json::to_string(&worker.inspection(&bench.job(&capture))).unwrap();
        let mut plain: serde_json::Value = serde_json::from_str(&text.replace("misbehaving-", "c-")).unwrap();
        plain.as_object_mut().unwrap().remove("ms").unwrap();
        plain
    };
    let rust = inspect(&bench.pipeline("none", "none"));
    let c = inspect(&all_in_c(&bench, &library, "none", "none"));
    assert_eq!(rust["defects"].as_array().unwrap().len(), 1);
    assert_eq!(c, rust);
}

#[test]
fn everything_that_a_slot_is_given_and_answers_crosses_unchanged() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 121, 90);
    let library = misbehaving(&bench, &[]);
    let mut worker = bench.worker();
    let mut pipeline = all_in_c(&bench, &library, "all", "echo");
    pipeline.measure[0]
        .parameters
        .extend([("count".to_owned(), ParameterValue::Integer(-9)), ("note".to_owned(), text("über"))]);
    worker.configure(&pipeline).unwrap();
    let mut job = bench.job(&capture);
    job.optics.pixel_aspect = Some(1.25);
    let inspection = worker.inspection(&job);
    assert_eq!(inspection.incomplete, []);
    let feature = |region: &str, name: &str| {
        let found = inspection.features.iter().find(|it| (it.region.as_str(), it.name.as_str()) == (region, name));
        found.unwrap_or_else(|| panic!("no {region}/{name}")).value
    };
    assert_eq!((feature("image", "width"), feature("image", "height")), (121.0, 90.0));
    assert_eq!(feature("image", "last_gray"), f64::from((120 * 3 + 89 * 5) as u8));
    assert_eq!((feature("image", "um_per_px"), feature("image", "pixel_aspect")), (125.0 / 54.0, 1.25));
    // Switch on, -9 hundred, a quarter, six letters of `bright`, five bytes of `über`.
    assert_eq!(feature("image", "parameters"), 1000.0 - 900.0 + 0.25 + 60.0 + 50_000.0);
    assert_eq!((feature("image", "zones"), feature("cladding", "radius")), (3.0, 27.0));
    assert_eq!(feature("core", "pixels"), 121.0 * 90.0, "the segmenter's own map, copied before it was overwritten");
    assert_eq!((feature("image", "area"), feature("image", "centre")), (12.0, 11.5), "as the host computed them");
    assert_eq!((feature("image", "runs"), feature("image", "last_run")), (3.0, 14.0));
    assert_eq!(feature("image", "depth"), 2.5, "the detector's attribute");
    let histogram = &inspection.histograms[0];
    assert_eq!((histogram.low, histogram.high, histogram.counts.as_slice()), (0.0, 256.0, [3, 4, 5].as_slice()));
    assert_eq!(inspection.quality.flags, ["echoed"]);
    assert_eq!(inspection.verdict.overall, Outcome::Fail);
    let reason = "121 x 90, 3 zones, 12 px in zone 1, 2.315 um, core unknown: 1, echoed";
    assert_eq!((inspection.verdict.profile.as_deref(), inspection.verdict.reason.as_str()), (Some("strict"), reason));
}

#[test]
fn a_lie_in_c_costs_a_plugin_its_own_results_and_nobody_elses() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 120, 90);
    let library = misbehaving(&bench, &[]);
    let mut worker = bench.worker();
    for (slot, fault, word) in [
        ("detect", "error", "a deliberate error"),
        ("detect", "error-and-ok", "an error that is forgotten"),
        ("detect", "silent", "does not say why"),
        ("detect", "nan", "a confidence of NaN"),
        ("detect", "outside", "outside the picture"),
        ("detect", "bad-code", "the severity 0, which there is not"),
        ("detect", "null-list", "3 runs of a mask at the address 0x0"),
        ("detect", "long-list", "runs of a mask, at most 10800 are believed"),
        ("detect", "odd-address", "1 runs of a mask at the address 0x"),
        ("detect", "masks", "more than 10800 runs of masks"),
        ("detect", "wrong-slot", "answers `detect` with a feature"),
        ("detect", "endless", "more than 10000 defects"),
        ("detect", "null", "1 defect at the address 0x0"),
        ("measure", "error", "a deliberate error"),
        ("measure", "nan", "image/defects that is NaN"),
        ("measure", "outside", "nowhere"),
        ("measure", "null", "a feature named \"\""),
        ("measure", "endless", "more than 20000 features"),
        ("measure", "long-list", "bins of a histogram, at most 65536 are believed"),
        ("grade", "error", "a deliberate error"),
        ("grade", "outside", "a verdict on defect 4000000 of 1"),
        ("grade", "long-list", "2 defects that broke a rule, at most 1"),
        ("grade", "bad-code", "the outcome 0, which there is not"),
        ("grade", "no-verdict", "answers without a verdict"),
        ("grade", "second-verdict", "answers with two verdicts"),
    ] {
        worker.configure(&all_in_c(&bench, &library, slot, fault)).unwrap();
        let inspection = worker.inspection(&bench.job(&capture));
        assert_eq!(inspection.incomplete.len(), 1, "{slot} {fault}: {:?}", inspection.incomplete);
        let missing = &inspection.incomplete[0];
        assert_eq!(missing.plugin, format!("c-{slot} 0.1.0"));
        assert!(missing.reason.contains(word), "{slot} {fault}: {}", missing.reason);
        assert!(!missing.reason.contains(char::is_control), "{slot} {fault}: {}", missing.reason);
        assert_eq!(inspection.defects.len(), usize::from(slot != "detect"), "{slot} {fault}");
        assert_eq!(inspection.features.len(), usize::from(slot != "measure"), "{slot} {fault}");
        // Without the detector there is nothing to fail, and no pass either.
        assert_eq!(inspection.verdict.overall == Outcome::NotGraded, slot != "measure", "{slot} {fault}");
    }
    for (fault, word) in [
        ("nan", "no ellipse"),
        ("bad-code", "the zone 9, which there is not"),
        ("wrong-slot", "two outlines of the core"),
        ("bad-labels", "7 labels for 10800 pixels"),
        ("null-list", "10800 labels at the address 0x0"),
    ] {
        worker.configure(&all_in_c(&bench, &library, "segment", fault)).unwrap();
        let failure = worker.inspect(&bench.job(&capture)).unwrap().result.unwrap_err();
        assert!(failure.message.contains(word), "{fault}: {}", failure.message);
    }
    worker.configure(&all_in_c(&bench, &library, "measure", "control-text")).unwrap();
    let flags = worker.inspection(&bench.job(&capture)).quality.flags;
    assert_eq!(flags, ["red [31m and \u{fffd} no UTF-8"], "neither control characters nor broken text");
}

#[test]
fn a_crash_in_c_is_a_death_with_a_name() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 120, 90);
    let library = misbehaving(&bench, &[]);
    let mut worker = bench.worker();
    worker.configure(&all_in_c(&bench, &library, "measure", "segfault")).unwrap();
    let death = worker.inspect(&bench.job(&capture)).unwrap_err();
    assert_eq!((death.signal, death.turn), (Some(11), Some(plugin("c-measure"))));
}

#[test]
fn a_table_that_is_not_understood_is_refused_in_one_line_with_what_was_found() {
    let bench = Bench::new();
    let refused = |definitions: &[&str]| {
        let reason = probed(&bench, &misbehaving(&bench, definitions)).unwrap_err();
        assert!(!reason.contains('\n') && reason.len() < 300, "one line: {reason}");
        reason
    };
    assert_eq!(
        refused(&["TABLE_VERSION=7"]),
        "exports a `ferrule_plugin_v1` of version 7, version 1 is understood. Build it again with this version's \
         ferrule_plugin.h"
    );
    assert_eq!(
        refused(&["TABLE_SIZE=16"]),
        "exports a `ferrule_plugin_v1` of 16 bytes, version 1 has 64: begin the table with FERRULE_PLUGIN_HEAD"
    );
    // A later version's table, longer at its end, is this version's with something behind it.
    assert_eq!(probed(&bench, &misbehaving(&bench, &["TABLE_SIZE=4096"])), Ok(4));
    assert_eq!(refused(&["NO_CREATE"]), "has NULL for `create` in its `ferrule_plugin_v1`");
    assert_eq!(refused(&["NO_DETECT"]), "has NULL for `detect` in its `ferrule_plugin_v1`");
    assert_eq!(refused(&["DESCRIBE_FAILS"]), "describes itself wrongly: no licence for this machine");
    assert_eq!(refused(&["SLOT=0"]), "describes itself wrongly: answers with the slot 0, which there is not");
    assert_eq!(refused(&["TWICE"]), "offers `c-detect` twice");
    let unresolved = refused(&["UNRESOLVED"]);
    assert!(unresolved.contains("undefined symbol: nowhere_to_be_found"), "{unresolved}");
}

#[test]
fn a_library_of_neither_interface_is_refused_with_both_names() {
    let bench = Bench::new();
    let build = |name: &str, source: &str| {
        let (from, to) = (bench.path(&format!("{name}.c")), bench.path(&format!("{name}.so")));
        fs::write(&from, source).unwrap();
        let mut command = Command::new("cc");
        command.args(["-fPIC", "-shared", "-o"]).args([&to, &from]);
        compiled(command, to)
    };
    assert_eq!(
        probed(&bench, &build("neither", "int harmless(void) { return 1; }\n")).unwrap_err(),
        "is no Ferrule plug-in: it exports neither `_1as_0lib_1header_0root_bmodule_bloader` (written in Rust) nor \
         `ferrule_plugin_v1` (written in C)"
    );
    // The right name for the wrong thing.
    let function = build("function", "int ferrule_plugin_v1(void) { return 1; }\n");
    let reason = probed(&bench, &function).unwrap_err();
    assert!(reason.starts_with("exports a `ferrule_plugin_v1` of version "), "{reason}");
}
