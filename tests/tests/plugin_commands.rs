//! The commands on plug-ins through the real binary: builds come into force under a running engine and leave again, the
//! database says so, and a person's settings keep their comments.

#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use ferrule_tests::{Lab, text};
use serde_json::Value;

/// A library that cargo built for this test program, by its crate's name.
fn built(library: &str) -> PathBuf {
    let beside = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let path = beside.join(format!("lib{library}.so"));
    assert!(path.exists(), "{} was not built", path.display());
    path
}

/// The misbehaving library as another build: what follows the last section is nobody's, but it counts for the hash.
fn rebuilt(lab: &Lab, name: &str) -> PathBuf {
    let path = lab.root().join(format!("{name}.so"));
    let mut bytes = fs::read(built("ferrule_misbehaving")).unwrap();
    bytes.extend(name.bytes());
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    path
}

/// The only object that a command printed, and its exit status.
fn object(output: &Output) -> (i32, Value) {
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)));
    (output.status.code().unwrap(), value)
}

fn objects(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", text(output));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Installs; it must come into force. Its build.
fn install(lab: &Lab, library: &Path) -> String {
    let (status, told) = object(&lab.run(&["plugin", "install", "--json", path(library)]));
    assert_eq!((status, told["outcome"].as_str().unwrap()), (0, "in-force"), "{told:#}");
    told["build"].as_str().unwrap().to_owned()
}

/// The build of that plug-in which inspected the capture that was stored last.
fn last_build(lab: &Lab, plugin: &str) -> Option<String> {
    let sql = "SELECT (SELECT s.build FROM pipeline_stages s WHERE s.pipeline_id = i.pipeline_id AND s.plugin = ?1)
               FROM inspections i ORDER BY i.inspection_id DESC LIMIT 1";
    lab.database().query_row(sql, [plugin], |row| row.get(0)).unwrap()
}

const DETECTOR: &str = "misbehaving-detect";

/// A workspace with the first build of a detector in its pipeline, and its engine.
fn with_detector(lines: &str) -> (Lab, ferrule_tests::Engine, PathBuf) {
    let lab = Lab::with_settings(&format!("[pipeline]\ndetect = [\"{DETECTOR}\"]\nmeasure = []\ngrade = []\n{lines}"));
    let first = rebuilt(&lab, "first");
    fs::copy(&first, lab.workspace.join("plugins").join(format!("{DETECTOR}.so"))).unwrap();
    let engine = lab.start_engine();
    lab.wait_for("the first pipeline is in force", || {
        let log = objects(&lab.run(&["plugin", "log", "--json"]));
        log.iter().any(|swap| swap["outcome"] == "in-force").then_some(())
    });
    (lab, engine, first)
}

#[test]
fn an_installed_build_makes_the_next_result_and_the_log_says_what_it_took_the_place_of() {
    let (lab, _engine, _) = with_detector("");
    lab.simulate(&lab.captures(), 1, "burst-v1", 1);
    lab.wait_done(1);
    let former = last_build(&lab, DETECTOR).unwrap();
    let second = rebuilt(&lab, "second");
    let build = install(&lab, &second);
    assert_ne!(build, former);
    let apart = lab.root().join("later");
    lab.simulate(&apart, 2, "burst-v1", 2);
    for entry in fs::read_dir(&apart).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), lab.captures().join(entry.file_name())).unwrap();
    }
    lab.wait_done(3);
    assert_eq!(last_build(&lab, DETECTOR), Some(build.clone()));
    let file = lab.workspace.join("plugins").join(format!("{DETECTOR}.so"));
    assert_eq!(fs::read(&file).unwrap(), fs::read(&second).unwrap(), "in the former one's place");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(fs::read_dir(lab.workspace.join("plugins")).unwrap().count(), 1);

    let log = objects(&lab.run(&["plugin", "log", "--json"]));
    let last = log.last().unwrap();
    assert_eq!((last["outcome"].as_str(), last["generation"].as_u64()), (Some("in-force"), Some(2)), "{log:#?}");
    assert!(last["took_ms"].as_f64().unwrap() > 0.0);
    let change = &last["changes"][0];
    assert_eq!((&change["plugin"], &change["from"]["build"]), (&DETECTOR.into(), &former.into()), "{change:#}");
    assert_eq!(change["to"]["build"].as_str(), Some(build.as_str()));
    // The same again changes nothing.
    let (status, told) = object(&lab.run(&["plugin", "install", "--json", path(&second)]));
    assert_eq!((status, told["outcome"].as_str().unwrap()), (0, "unchanged"), "{told:#}");
}

#[test]
fn a_library_that_is_cut_short_is_refused_by_install_and_nothing_is_copied() {
    let (lab, _engine, first) = with_detector("");
    let before = fs::read(lab.workspace.join("plugins").join(format!("{DETECTOR}.so"))).unwrap();
    let cut = lab.root().join("cut.so");
    let bytes = fs::read(first).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 3]).unwrap();
    fs::set_permissions(&cut, fs::Permissions::from_mode(0o644)).unwrap();
    let output = lab.run(&["plugin", "install", "--json", path(&cut)]);
    let (status, told) = object(&output);
    assert_eq!((status, told["outcome"].as_str().unwrap()), (1, "refused"), "{told:#}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cut.so is refused") && said.contains("nothing was copied"), "{said}");
    let plugins: Vec<_> = fs::read_dir(lab.workspace.join("plugins")).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(plugins.len(), 1, "{plugins:?}");
    assert_eq!(fs::read(&plugins[0]).unwrap(), before);
    // Others may write it: whose code would that be?
    fs::write(&cut, &bytes).unwrap();
    fs::set_permissions(&cut, fs::Permissions::from_mode(0o666)).unwrap();
    let output = lab.run(&["plugin", "install", path(&cut)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("Run: chmod"), "{}", text(&output));
    let missing = lab.run(&["plugin", "install", path(&lab.root().join("nowhere.so"))]);
    assert_eq!(missing.status.code(), Some(2), "{}", text(&missing));
}

#[test]
fn rollback_brings_the_former_build_back_and_the_history_says_when_each_was_in_force() {
    let (lab, _engine, _) = with_detector("");
    lab.simulate(&lab.captures(), 1, "burst-v1", 3);
    lab.wait_done(1);
    let first = last_build(&lab, DETECTOR).unwrap();
    let second = install(&lab, &rebuilt(&lab, "second"));
    let (status, told) = object(&lab.run(&["plugin", "rollback", "--json", DETECTOR]));
    assert_eq!((status, &told["outcome"], &told["build"]), (0, &"in-force".into(), &first.clone().into()), "{told:#}");
    let apart = lab.root().join("later");
    lab.simulate(&apart, 1, "burst-v1", 4);
    for entry in fs::read_dir(&apart).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), lab.captures().join(entry.file_name())).unwrap();
    }
    lab.wait_done(2);
    assert_eq!(last_build(&lab, DETECTOR), Some(first.clone()));

    let history = objects(&lab.run(&["plugin", "history", "--json", DETECTOR]));
    let of = |build: &str| &history.iter().find(|row| row["build"]["build"] == build).unwrap()["build"];
    let generations = |build: &str| -> Vec<u64> {
        let periods = of(build)["in_force"].as_array().unwrap();
        periods.iter().map(|period| period["generation"].as_u64().unwrap()).collect()
    };
    assert_eq!((generations(&first), generations(&second)), (vec![1, 3], vec![2]), "{history:#?}");
    assert!(of(&first)["in_force"][1]["until"].is_null() && of(&second)["in_force"][0]["until"].is_string());
    assert_eq!((&of(&first)["inspections"], &of(&second)["inspections"]), (&2.into(), &0.into()));
    // By its first digits, and back again.
    let (status, told) = object(&lab.run(&["plugin", "rollback", "--json", "--to", &second[..8], DETECTOR]));
    assert_eq!((status, told["build"].as_str()), (0, Some(second.as_str())), "{told:#}");
    let rows = "SELECT group_concat(generation || ' ' || outcome, ', ') FROM (SELECT * FROM swaps ORDER BY swap_id)";
    let rows: String = lab.database().query_row(rows, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, "1 in force, 2 in force, 3 in force, 4 in force");
}

#[test]
fn enable_and_disable_edit_the_pipeline_a_running_engine_follows_and_every_comment_stays() {
    let lab = Lab::new();
    let file = lab.workspace.join("ferrule.toml");
    let _engine = lab.start_engine();
    lab.wait_for("a pipeline", || lab.status()?["pipeline"].is_string().then_some(()));
    let before = fs::read_to_string(&file).unwrap();
    let comments =
        |text: &str| -> Vec<String> { text.lines().filter(|line| line.starts_with("# ")).map(str::to_owned).collect() };
    let detectors = || -> Vec<String> {
        let status = lab.status().unwrap();
        let plugins = status["plugins"].as_array().unwrap().iter();
        plugins.filter(|it| it["slot"] == "detect").map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    let (status, told) = object(&lab.run(&["plugin", "disable", "--json", "detect-scratch"]));
    assert_eq!((status, &told["outcome"], &told["changed"]), (0, &"in-force".into(), &true.into()), "{told:#}");
    assert_eq!(detectors(), ["detect-region"]);
    let after = fs::read_to_string(&file).unwrap();
    assert_eq!(comments(&after), comments(&before));
    assert!(after.contains("\n[pipeline]\n") && after.contains("\ndetect = [\"detect-region\"]\n"), "{after}");
    assert_eq!(after.lines().count(), before.lines().count(), "in place of what was commented out");

    let args = ["plugin", "enable", "--json", "--first", "detect-scratch"];
    let (status, told) = object(&lab.run(&args));
    assert_eq!((status, &told["outcome"]), (0, &"in-force".into()), "{told:#}");
    assert_eq!(detectors(), ["detect-scratch", "detect-region"]);
    let (status, told) = object(&lab.run(&["plugin", "enable", "--json", "detect-scratch"]));
    assert_eq!((status, &told["outcome"], &told["changed"]), (0, &"unchanged".into(), &false.into()), "{told:#}");
    assert_eq!(comments(&fs::read_to_string(&file).unwrap()), comments(&before));

    // The last segmenter stays, and a name that nobody has is told with those that there are.
    assert!(lab.run(&["plugin", "disable", "segment-integral"]).status.success());
    let kept = fs::read_to_string(&file).unwrap();
    for (args, word) in
        [(["disable", "segment-endface"], "last segmenter"), (["enable", "detect-dust"], "detect-region")]
    {
        let refused = lab.run(&["plugin", args[0], args[1]]);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        assert!(text(&refused).contains(word), "{}", text(&refused));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), kept);
}

#[test]
fn what_workers_or_the_probe_refuse_is_a_row_and_the_former_pipeline_goes_on() {
    let (lab, _engine, _) = with_detector("");
    let in_force = lab.status().unwrap()["pipeline"].clone();
    // The probe asks for an instance with default parameters; workers ask for this one.
    lab.append_settings(&format!("[plugin.{DETECTOR}]\nfault = \"error\"\nwhen = \"create\""));
    fs::write(lab.workspace.join("plugins/broken.so"), "no library").unwrap();
    let refused = lab.wait_for("both refusals are rows", || {
        let log = objects(&lab.run(&["plugin", "log", "--json"]));
        let refused: Vec<Value> = log.into_iter().filter(|swap| swap["outcome"] == "refused").collect();
        (refused.len() == 2).then_some(refused)
    });
    let workers = refused.iter().find(|swap| swap["generation"].is_u64()).unwrap();
    assert!(workers["refusal"].as_str().unwrap().contains("a deliberate error"), "{workers:#}");
    assert_eq!(workers["changes"][0]["what"], "parameters", "{workers:#}");
    let library = refused.iter().find(|swap| swap["generation"].is_null()).unwrap();
    assert!(library["library"].as_str().unwrap().ends_with("plugins/broken.so"), "{library:#}");
    assert!(library["refusal"].as_str().unwrap().contains("not an ELF file"), "{library:#}");
    assert_eq!(lab.status().unwrap()["pipeline"], in_force);
    lab.simulate(&lab.captures(), 1, "burst-v1", 5);
    lab.wait_done(1);
    let human = text(&lab.run(&["plugin", "log"]));
    assert!(human.lines().any(|line| line.contains("refused") && line.contains("deliberate")), "{human}");
}

#[test]
fn a_library_on_which_the_pipeline_stands_is_removed_only_after_it_is_disabled() {
    let lab = Lab::new();
    let library = rebuilt(&lab, "first");
    // Without an engine the file is all there is.
    let (status, told) = object(&lab.run(&["plugin", "install", "--json", "--force-name", "bad", path(&library)]));
    assert_eq!((status, told["outcome"].as_str().unwrap()), (0, "no-engine"), "{told:#}");
    assert!(lab.workspace.join("plugins/bad.so").is_file());
    let (status, told) = object(&lab.run(&["plugin", "enable", "--json", DETECTOR]));
    assert_eq!((status, &told["changed"]), (0, &true.into()), "{told:#}");
    let refused = lab.run(&["plugin", "remove", "--with-others", DETECTOR]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused).contains(&format!("ferrule plugin disable {DETECTOR}")), "{}", text(&refused));
    assert!(lab.run(&["plugin", "disable", DETECTOR]).status.success());
    let others = lab.run(&["plugin", "remove", DETECTOR]);
    assert!(
        text(&others).contains("misbehaving-grade") && text(&others).contains("--with-others"),
        "{}",
        text(&others)
    );
    assert!(lab.workspace.join("plugins/bad.so").is_file());
    assert!(lab.run(&["plugin", "remove", "--with-others", DETECTOR]).status.success());
    assert!(!lab.workspace.join("plugins/bad.so").exists());
    let shipped = lab.run(&["plugin", "remove", "detect-region"]);
    assert_eq!(shipped.status.code(), Some(2), "{}", text(&shipped));
}

#[test]
fn a_plugin_in_quarantine_is_released_by_name_and_what_it_missed_is_inspected_again() {
    let settings = format!("[plugins]\nquarantine_after = 1\n\n[plugin.{DETECTOR}]\nfault = \"abort\"");
    let (lab, _engine, _) = with_detector(&settings);
    lab.simulate(&lab.captures(), 2, "burst-v1", 6);
    let quarantined = |lab: &Lab| -> Option<bool> {
        let status = lab.status()?;
        let plugins = status["plugins"].as_array()?.clone();
        plugins.iter().find(|it| it["id"] == DETECTOR)?["quarantined"].as_bool()
    };
    lab.wait_for("the quarantine", || quarantined(&lab)?.then_some(()));
    lab.wait_done(2);
    let file = lab.workspace.join("ferrule.toml");
    let mended = fs::read_to_string(&file).unwrap().replace("\"abort\"", "\"none\"");
    fs::write(&file, mended).unwrap();
    lab.wait_for("the mended parameters are in force", || {
        let log = objects(&lab.run(&["plugin", "log", "--json"]));
        (log.iter().filter(|swap| swap["outcome"] == "in-force").count() == 2).then_some(())
    });
    assert_eq!(quarantined(&lab), Some(true), "parameters alone do not bring it back");
    let (status, told) = object(&lab.run(&["plugin", "release", "--json", DETECTOR]));
    assert_eq!((status, &told["released"]), (0, &true.into()), "{told:#}");
    lab.wait_for("complete results of both", || {
        let complete =
            "SELECT count(*) FROM images i JOIN inspections n USING (inspection_id) WHERE n.incomplete = '[]'";
        (lab.query_count(complete) == 2).then_some(())
    });
    let again = lab.run(&["plugin", "release", DETECTOR]);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    assert!(text(&again).contains("not in quarantine"), "{}", text(&again));
}

/// What `check` says of the misbehaving detector with that fault, and its exit status.
fn checked(lab: &Lab, fault: &str) -> (i32, Vec<Value>) {
    let (library, set) = (built("ferrule_misbehaving"), format!("fault={fault}"));
    let args = ["plugin", "check", "--json", "--only", DETECTOR, "--set", &set, path(&library)];
    let output = lab.run(&args);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), lines)
}

#[test]
fn check_reports_a_plugin_that_crashes_lies_leaks_or_changes_its_mind_and_ends_with_status_1() {
    // A short pipeline, for each check times a whole capture to compare with.
    let pipeline = "[pipeline]\ndetect = []\nmeasure = []\ngrade = []";
    let lab = Lab::with_settings(pipeline);
    // Each hang costs a deadline.
    let hurried = Lab::with_settings(&format!("{pipeline}\n\n[workers]\ndeadline_ms = 300\ndeadline_ms_per_mpx = 0"));
    let (status, found) = checked(&lab, "none");
    assert_eq!((status, &found.last().unwrap()["failed"]), (0, &0.into()), "{found:#?}");
    for check in
        ["layout", "probe", "description", "answers", "parameters", "pictures", "determinism", "speed", "memory"]
    {
        assert!(found.iter().any(|it| it["check"] == check && it["state"] == "passed"), "{check} in {found:#?}");
    }
    for (fault, check, word) in [
        ("segfault", "pictures", "SIGSEGV"),
        ("abort", "answers", "SIGABRT"),
        ("panic", "pictures", "a deliberate panic, at tests/misbehaving/src/lib.rs:"),
        ("error", "answers", "a deliberate error"),
        ("lie-nan", "answers", "a confidence of NaN"),
        ("lie-box", "pictures", "outside the picture"),
        ("leak", "memory", "39.0 MB more"),
        ("fickle", "determinism", "the answers differ"),
        ("loop", "answers", "no answer within 0.3 s"),
    ] {
        let (status, found) = checked(if fault == "loop" { &hurried } else { &lab }, fault);
        let fits = |it: &&Value| {
            it["check"] == check && it["state"] == "failed" && it["detail"].as_str().unwrap().contains(word)
        };
        assert!(status == 1 && found.iter().any(|it| fits(&it)), "{fault}: {status} {found:#?}");
        if fault == "loop" {
            let given_up = found.iter().filter(|it| it["state"] == "skipped").count();
            assert!(given_up > 5, "after three of them the rest is not tried: {found:#?}");
        }
    }
    // What is no library is a finding; what is not there is a mistake.
    let cut = lab.root().join("cut.so");
    fs::write(&cut, "no library").unwrap();
    let output = lab.run(&["plugin", "check", path(&cut)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("not an ELF file"), "{}", text(&output));
    assert_eq!(lab.run(&["plugin", "check", path(&lab.root().join("none.so"))]).status.code(), Some(2));
    let output = lab.run(&["plugin", "check", "detect-dust"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("detect-region"), "{}", text(&output));
}

#[test]
fn every_plugin_that_ships_passes_its_own_check() {
    let lab = Lab::new();
    let folder = ferrule_tests::target_folder().join("plugins");
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let library = entry.unwrap().path();
        let output = lab.run(&["plugin", "check", path(&library)]);
        assert!(output.status.success(), "{}", text(&output));
        checked += 1;
    }
    assert!(checked >= 8, "{checked}");
}

#[test]
fn a_new_plugin_of_each_slot_builds_offline_passes_its_test_and_its_check() {
    let lab = Lab::new();
    let target = ferrule_tests::target_folder().parent().unwrap().join("new-plugins");
    let cargo = |folder: &Path, args: &[&str]| {
        // The developer's own cargo, for the crates that it has downloaded.
        let mut command = std::process::Command::new(option_env!("CARGO").unwrap_or("cargo"));
        let output = command.args(args).current_dir(folder).env("CARGO_TARGET_DIR", &target).output().unwrap();
        assert!(output.status.success(), "cargo {args:?} in {}: {}", folder.display(), text(&output));
        text(&output)
    };
    let mut abi: Option<PathBuf> = None;
    for slot in ["detect", "segment", "measure", "grade"] {
        let (name, place) = (format!("lab-{slot}"), lab.root().join("authors"));
        let mut new = lab.ferrule(&["plugin", "new", "--json", "--slot", slot, "--dir", path(&place), &name]);
        // The first brings the interface along; the others share it, so that it is compiled once.
        new.args(abi.iter().flat_map(|abi| ["--abi", path(abi)]));
        let (status, told) = object(&new.output().unwrap());
        assert_eq!(status, 0, "{told:#}");
        let folder = PathBuf::from(told["crate"].as_str().unwrap());
        abi.get_or_insert(folder.join("ferrule-abi"));
        cargo(&folder, &["build", "--release", "--offline", "--quiet"]);
        let tested = cargo(&folder, &["test", "--release", "--offline", "--lib"]);
        assert!(tested.contains("test result: ok.") && !tested.contains("running 0 tests"), "{tested}");
        let library = target.join("release").join(format!("lib{}.so", name.replace('-', "_")));
        let output = lab.run(&["plugin", "check", "--json", path(&library)]);
        let found: Vec<Value> = objects(&output);
        assert!(found.iter().any(|it| it["plugin"] == name.as_str() && it["check"] == "memory"), "{found:#?}");
    }
    let again =
        lab.ferrule(&["plugin", "new", "--slot", "grade", "--dir", path(&lab.root().join("authors")), "lab-grade"]);
    let again = { again }.output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again).contains("is there already"), "{}", text(&again));
}

#[test]
fn a_plugin_from_when_the_interface_was_frozen_comes_into_force_and_judges() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = ferrule_tests::target_folder().parent().unwrap().join("frozen");
    let mut cargo = std::process::Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.args(["build", "--release", "--offline", "--locked", "--quiet"]).env("CARGO_TARGET_DIR", &target);
    let output = cargo.current_dir(manifest.join("frozen")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));

    let lab = Lab::new();
    let engine = lab.start_engine();
    let library = target.join("release/libfrozen.so");
    let (status, told) = object(&lab.run(&["plugin", "install", "--json", path(&library)]));
    assert_eq!((status, &told["plugins"][0]["id"]), (0, &"frozen".into()), "{told:#}");
    let build = told["build"].as_str().unwrap();
    let (status, told) = object(&lab.run(&["plugin", "enable", "--json", "frozen"]));
    assert_eq!((status, told["outcome"].as_str()), (0, Some("in-force")), "{told:#}");
    lab.simulate(&lab.captures(), 1, "demo-v1", 3);
    lab.wait_done(1);
    assert_eq!(last_build(&lab, "frozen").as_deref(), Some(build));
    let pit = "SELECT count(*) FROM defects WHERE plugin = 'frozen 1.0.0' AND dtype = 'pit' AND area_px = 25 AND confidence = 0.9";
    assert_eq!(lab.query_count(pit), 1);
    assert!(lab.run(&["stop"]).status.success());
    engine.wait();
}

#[test]
fn the_reference_page_of_parameters_is_what_the_command_writes() {
    if !ferrule_tests::has_networks() {
        return;
    }
    let lab = Lab::new();
    let output = lab.ferrule(&["plugin", "list", "--shipped", "--markdown"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("plugins/PARAMETERS.md");
    let kept = fs::read_to_string(&page).unwrap_or_default();
    let written = String::from_utf8(output.stdout).unwrap();
    assert!(
        kept == written,
        "plugins/PARAMETERS.md is out of date; write it again:\n\
         target/debug/ferrule plugin list --shipped --markdown > plugins/PARAMETERS.md"
    );
}
