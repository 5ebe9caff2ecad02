//! From a library on disk to a plug-in in force.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path};

use ferrule_core::{
    host::{Catalogue, LibraryStore, Origin, Policy, SearchPaths, probe},
    ids::BuildHash,
    settings::Trust,
    worker::messages::ToWorker,
};

use super::stage::{Bench, built, plugin, program};

const TRUST_OWNER: Policy<'_> = Policy { trust: Trust::Owner, pinned: &[], python: "python3" };

fn install(library: &Path, directory: &Path, name: &str) {
    fs::create_dir_all(directory).unwrap();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    let to = directory.join(name);
    fs::copy(library, &to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o644)).unwrap();
}

#[test]
fn a_catalogue_holds_every_plugin_once_from_the_first_directory_that_offers_it() {
    let bench = Bench::new();
    let (first, second) = (bench.path("plugins"), bench.path("more"));
    install(&built("ferrule_misbehaving"), &first, "a.so");
    install(&built("ferrule_misbehaving"), &second, "b.so");
    let paths = SearchPaths::usual(Some(first.clone()), vec![second.clone()], None);
    let store = LibraryStore::at(bench.path("store"));
    let catalogue = Catalogue::build(&paths, &store, &program(), TRUST_OWNER);
    assert_eq!(catalogue.refused, []);
    assert_eq!(catalogue.available.len(), 5);
    for available in &catalogue.available {
        assert_eq!((&available.found, available.origin), (&first.join("a.so"), Origin::Workspace));
        assert_eq!(available.shadows, [second.join("b.so")]);
        assert_eq!(available.card.parameters.len(), 4);
    }
    // A second look starts no probe: it works without a program that could be started.
    let mut gone = program();
    let again = Catalogue::build(&paths, &store, &gone, TRUST_OWNER);
    assert_eq!(again, catalogue);
    gone.executable = bench.path("nowhere");
    let unprobed = Catalogue::build(&paths, &store, &gone, TRUST_OWNER);
    assert!(unprobed.refused[0].reason.contains("could not be probed"), "another program probes for itself");
}

#[test]
fn libraries_that_cannot_be_used_are_refused_with_the_reason_and_the_others_stay() {
    let bench = Bench::new();
    let plugins = bench.path("plugins");
    let good = built("ferrule_misbehaving");
    install(&good, &plugins, "good.so");
    install(&built("ferrule_mismatched"), &plugins, "mismatched.so");
    install(Path::new(&format!("/proc/{}/exe", std::process::id())), &plugins, "program.so");
    fs::write(plugins.join("text.so"), "no library").unwrap();
    let whole = fs::read(&good).unwrap();
    fs::write(plugins.join("cut.so"), &whole[..whole.len() / 3]).unwrap();
    install(&good, &plugins, "open.so");
    fs::set_permissions(plugins.join("open.so"), fs::Permissions::from_mode(0o666)).unwrap();

    let store = LibraryStore::at(bench.path("store"));
    let catalogue = Catalogue::build(&SearchPaths::only(vec![plugins]), &store, &program(), TRUST_OWNER);
    assert_eq!(catalogue.available.len(), 5);
    let refused: BTreeMap<String, &str> = catalogue
        .refused
        .iter()
        .map(|refusal| (refusal.path.file_name().unwrap().to_string_lossy().into_owned(), refusal.reason.as_str()))
        .collect();
    let says = |name: &str, word: &str| assert!(refused[name].contains(word), "{name}: {}", refused[name]);
    says("text.so", "not an ELF file");
    says("cut.so", "is not all there");
    says("open.so", "chmod");
    says("program.so", "");
    says("mismatched.so", "another version of ferrule-abi");
    assert_eq!(refused.len(), 5);
    for reason in refused.values() {
        assert!(!reason.contains('\n') && reason.len() < 500, "one line: {reason}");
    }
}

#[test]
fn a_layout_mismatch_names_the_type_and_the_field_in_one_line_and_keeps_the_dump_for_the_log() {
    let bench = Bench::new();
    let store = LibraryStore::at(bench.path("store"));
    let build = store.put_file(&built("ferrule_mismatched")).unwrap();
    let probed = probe::run(&program(), &store.path(&build)).unwrap();
    let reason = probed.cards.unwrap_err();
    let line = "`Descriptor.version`: mismatched type, expected RString, found u32";
    assert!(reason.contains(line), "{reason}");
    assert!(probed.log.len() > reason.len(), "the dump goes to standard error");
}

#[test]
fn with_pinned_trust_only_listed_builds_are_accepted() {
    let bench = Bench::new();
    let plugins = bench.path("plugins");
    install(&built("ferrule_misbehaving"), &plugins, "a.so");
    let (paths, store) = (SearchPaths::only(vec![plugins]), LibraryStore::at(bench.path("store")));
    let pinned = |pins: &[BuildHash]| {
        Catalogue::build(&paths, &store, &program(), Policy { trust: Trust::Pinned, pinned: pins, python: "python3" })
    };
    let refusal = &pinned(&[]).refused[0].reason.clone();
    let build = store.put_file(&built("ferrule_misbehaving")).unwrap();
    assert!(refusal.contains(&format!("\"{build}\"")), "{refusal}");
    assert_eq!(pinned(&[build]).available.len(), 5);
}

#[test]
fn a_plugin_that_falls_over_its_first_picture_is_named_by_the_probe() {
    // The library behaves by default, so the fault is asked of a worker instead, at creation.
    let bench = Bench::new();
    for (fault, signal) in [("segfault", Some(11)), ("abort", Some(6)), ("exit", None)] {
        let mut worker = bench.worker();
        let mut pipeline = bench.pipeline("detect", fault);
        pipeline.detect = vec![bench.bad("detect", &[("fault", fault), ("when", "create")])];
        worker.send(&ToWorker::Configure(Box::new(pipeline)));
        let death = worker.hear().unwrap_err();
        assert_eq!((death.signal, death.turn), (signal, Some(plugin("misbehaving-detect"))), "{fault}");
    }
}

#[test]
fn a_pipeline_that_cannot_be_had_is_refused_in_one_line_and_the_one_before_stays_in_force() {
    let bench = Bench::new();
    let capture = bench.capture("a.png", 64, 48);
    let mut worker = bench.worker();
    let good = bench.pipeline("none", "none");
    worker.configure(&good).unwrap();
    let refused = |worker: &mut super::stage::Worker, change: &dyn Fn(&mut ferrule_core::worker::messages::Stage)| {
        let mut pipeline = good.clone();
        change(&mut pipeline.detect[0]);
        worker.configure(&pipeline).unwrap_err()
    };
    let unknown = refused(&mut worker, &|stage| stage.parameters[0].0 = "fualt".into());
    assert!(unknown.contains("no parameter `fualt`"), "{unknown}");
    let version = refused(&mut worker, &|stage| stage.version = "9.9.9".into());
    assert!(version.contains("9.9.9"), "{version}");
    let id = refused(&mut worker, &|stage| stage.plugin = plugin("other"));
    assert!(id.contains("does not offer"), "{id}");
    let panic = refused(&mut worker, &|stage| {
        stage.parameters = bench.bad("detect", &[("fault", "panic"), ("when", "create")]).parameters;
    });
    assert!(panic.contains("a deliberate panic"), "{panic}");
    assert_eq!(worker.inspection(&bench.job(&capture)).defects.len(), 1);
}

#[test]
fn a_copy_cut_short_in_the_store_is_refused_instead_of_loaded() {
    let bench = Bench::new();
    let pipeline = bench.pipeline("none", "none");
    let library = &pipeline.detect[0].library;
    fs::set_permissions(library, fs::Permissions::from_mode(0o755)).unwrap();
    let whole = fs::read(library).unwrap();
    fs::write(library, &whole[..whole.len() / 2]).unwrap();
    let refused = bench.worker().configure(&pipeline).unwrap_err();
    assert!(refused.contains("not all there"), "{refused}");
}
