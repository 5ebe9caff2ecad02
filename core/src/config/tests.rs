//! The shipped file is whole, layers and origins hold, and each mistake gives its one line.

use std::path::Path;

use super::*;
use crate::{
    alarm::AlarmKind,
    ids::PluginId,
    settings::{MaskFormat, PictureProtocol},
    worker::messages::ParameterValue,
};

fn over(text: &str) -> Result<Configuration, ConfigurationError> {
    Configuration::of(text, Path::new("ferrule.toml"), Path::new("/lab/bench"))
}

fn mistakes(text: &str) -> Vec<String> {
    match over(text) {
        Err(ConfigurationError::Mistakes(mistakes)) => mistakes.iter().map(ToString::to_string).collect(),
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn the_shipped_file_is_right_and_stays_as_it_is() {
    let shipped = Configuration::shipped(Path::new("/lab/bench")).unwrap();
    assert_eq!(shipped.settings.sources[0].path, Path::new("/lab/bench/captures"));
    assert_eq!(shipped.settings.dataset.path, Path::new("/lab/bench/dataset"));
    let lines: Vec<_> = shipped.values.iter().map(|shown| format!("{} = {}", shown.key, shown.value)).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn an_empty_file_gives_the_shipped_settings() {
    assert_eq!(over("").unwrap(), Configuration::shipped(Path::new("/lab/bench")).unwrap());
}

#[test]
fn every_key_of_the_shipped_file_says_why() {
    let (_, known) = sheet::read(None, Path::new("/")).unwrap();
    for key in known {
        let why = schema::why(key.section, key.name);
        assert!(why.len() > 20, "{}.{}: {why:?}", key.section, key.name);
    }
}

#[test]
fn the_stored_schema_is_the_one_that_the_code_makes() {
    let stored: serde_json::Value = serde_json::from_str(include_str!("../../../config/ferrule.schema.json")).unwrap();
    assert_eq!(stored, schema().unwrap(), "write it anew with: ferrule config schema > config/ferrule.schema.json");
}

#[test]
fn every_value_knows_its_file_and_line() {
    let configuration = over("# mine\n[dataset]\nmasks = \"both\"\n\n[screen]\npicture = 'sixel'\n").unwrap();
    assert_eq!(configuration.settings.dataset.masks, MaskFormat::Both);
    assert_eq!(configuration.settings.screen.picture, PictureProtocol::Sixel);
    let origin = |key: &str| {
        let shown = configuration.values.iter().find(|shown| shown.key == key).unwrap();
        format!("{} from {}", shown.value, shown.origin)
    };
    assert_eq!(origin("dataset.masks"), "\"both\" from ferrule.toml:3");
    assert_eq!(origin("screen.picture"), "'sixel' from ferrule.toml:6");
    assert_eq!(origin("dataset.images"), "\"copy\" from default");
}

#[test]
fn sources_are_laid_over_the_shipped_one_and_replace_it() {
    let text = "[[capture]]\npath = 'scope-a'\num_per_px = 0.42\n[[capture]]\npath = '/mnt/b'\nname = 'far'\npoll = true\nrecursive = false\n";
    let sources = over(text).unwrap().settings.sources;
    assert_eq!(sources.len(), 2);
    assert_eq!((sources[0].name.as_str(), sources[0].path.as_path()), ("scope-a", Path::new("/lab/bench/scope-a")));
    assert_eq!((sources[0].um_per_px, sources[0].recursive, sources[0].poll), (Some(0.42), true, false));
    assert_eq!((sources[1].name.as_str(), sources[1].path.as_path()), ("far", Path::new("/mnt/b")));
    assert_eq!((sources[1].um_per_px, sources[1].recursive, sources[1].poll), (None, false, true));
}

#[test]
fn an_alarm_takes_what_it_leaves_out_from_the_shipped_one_of_its_kind() {
    let shipped = over("").unwrap().settings.alarms;
    assert_eq!(shipped.len(), AlarmKind::ALL.len());
    let threshold = |kind| shipped.iter().find(|rule| rule.kind == kind).unwrap().threshold;
    assert_eq!((threshold(AlarmKind::Silence), threshold(AlarmKind::DiskLow)), (0, 2048));
    let text = "[[alarm]]\nkind = 'failures'\ncommand = ['mail', 'mail']\n[[alarm]]\nkind = 'failures'\nname = 'many'\nthreshold = 50\nbell = false\n";
    let own = over(text).unwrap().settings.alarms;
    let told: Vec<_> = own.iter().map(|rule| (rule.name.as_str(), rule.threshold, rule.bell)).collect();
    assert_eq!(told, [("failures", threshold(AlarmKind::Failures), true), ("many", 50, false)]);
    assert_eq!(own[0].command, ["mail", "mail"]);
    assert_eq!(over("alarm = []\n").unwrap().settings.alarms, []);
}

#[test]
fn a_fibre_type_gives_the_diameters_that_are_not_stated() {
    let text = "[[capture]]\npath = 'a'\nfibre = 'mm-62.5-125'\n[[capture]]\npath = 'b'\nfibre = 'sm-9-125'\ncladding_um = 124.8\n";
    let sources = over(text).unwrap().settings.sources;
    assert_eq!((sources[0].core_um, sources[0].cladding_um), (Some(62.5), Some(125.0)));
    assert_eq!((sources[1].core_um, sources[1].cladding_um), (Some(9.0), Some(124.8)));
    assert_eq!(sources[1].fibre.as_deref(), Some("sm-9-125"));
}

#[test]
fn parameters_of_plugins_keep_their_types() {
    let text = "[plugin.detect-region]\ngamma = 1.5\nwindow = 5\nrobust = true\nmode = 'fast'\n";
    let parameters = over(text).unwrap().settings.parameters;
    let detect = &parameters[&"detect-region".parse::<PluginId>().unwrap()];
    assert_eq!(detect["gamma"], ParameterValue::Real(1.5));
    assert_eq!(detect["window"], ParameterValue::Integer(5));
    assert_eq!(detect["robust"], ParameterValue::Bool(true));
    assert_eq!(detect["mode"], ParameterValue::Text("fast".into()));
}

#[test]
fn each_mistake_gives_one_line_with_file_line_key_and_what_was_expected() {
    for (text, line) in [
        (
            "[intake]\nsettle_ms = 'soon'",
            "ferrule.toml:2: intake.settle_ms: expected a whole number from 10 to 3600000, found \"soon\"",
        ),
        ("[intake]\nsettle_ms = -5", "expected a whole number from 10 to 3600000, found -5"),
        ("[intake]\nsettle_ms = 0.5", "expected a whole number from 10 to 3600000, found 0.5"),
        ("[intake]\n\nsetle_ms = 5", "ferrule.toml:3: intake.setle_ms: unknown key; did you mean intake.settle_ms?"),
        (
            "[intake]\ncolour = 5",
            "intake.colour: unknown key; known here: extensions, settle_ms, reconcile_ms, decode_retries",
        ),
        (
            "[pipeline]\npython = 'python3'",
            "ferrule.toml:2: pipeline.python: unknown key; python belongs into [plugins]: write that line above it",
        ),
        ("[log]\nfibre = 'auto'", "ferrule.toml:2: log.fibre: unknown key; fibre belongs into a [[capture]]"),
        ("settle_ms = 5", "ferrule.toml:1: settle_ms: unknown section; settle_ms belongs into [intake]"),
        ("[intaek]\nsettle_ms = 5", "ferrule.toml:1: intaek: unknown section; did you mean intake?"),
        ("[wrokers]", "did you mean workers?"),
        ("colour = 'red'", "ferrule.toml:1: colour: unknown section; known here: capture, intake"),
        ("intake = 5", "ferrule.toml:1: intake: expected a table, [intake], found 5"),
        (
            "[intake]\nextensions = ['.PNG']",
            "expected an extension in lower case and without a dot, like \"png\", found \".PNG\"",
        ),
        ("[intake]\nextensions = 'png'", "intake.extensions: expected a list, each an extension"),
        (
            "[intake]\nextensions = [\n 'png',\n 'png']",
            "ferrule.toml:4: intake.extensions: expected each once, found \"png\" twice",
        ),
        (
            "[pipeline]\ndetect = ['Detect Region']",
            "expected a plug-in id (lower-case letters, digits and hyphens), found \"Detect Region\"",
        ),
        ("[pipeline]\nmin_confidence = 50", "expected a number from 0 to 1, found 50"),
        (
            "[label]\nmin_severity = 'low'",
            "expected \"NEGLIGIBLE\", \"LOW\", \"MEDIUM\", \"HIGH\" or \"CRITICAL\", found \"low\"",
        ),
        ("[label]\nmin_confidence = nan", "expected a number from 0 to 1, found nan"),
        ("[screen]\nmouse = 'yes'", "screen.mouse: expected true or false, found \"yes\""),
        ("[plugins]\npinned = ['abc']", "expected a build hash (32 lower-case hex digits), found \"abc\""),
        ("[plugin]\ndetect-region = 5", "plugin.detect-region: expected a table, [plugin.detect-region], found 5"),
        ("[plugin.Detect]\na = 5", "plugin.Detect: expected a plug-in id"),
        (
            "[plugin.detect-region]\ngamma = [1]",
            "ferrule.toml:2: plugin.detect-region.gamma: expected true, false, a number or a text, found a list",
        ),
        ("[capture]\npath = 'a'", "ferrule.toml:1: capture: expected a list, [[capture]], found a table"),
        (
            "[[capture]]\nname = 'a'",
            "ferrule.toml:1: capture[1].path: expected a path, absolute or relative to the workspace",
        ),
        ("[[capture]]\npath = '~/captures'", "(~ is not expanded), found \"~/captures\""),
        (
            "[[capture]]\npath = 'a'\n[[capture]]\npath = 'b/a'",
            "ferrule.toml:4: capture[2].name: expected a name of its own for each source (set `name`), found \"a\" again",
        ),
        (
            "[[capture]]\npath = 'a'\n[[capture]]\npath = 'a'\nname = 'b'",
            "ferrule.toml:4: capture[2].path: expected each directory once, found the path of \"a\" again",
        ),
        (
            "[[capture]]\npath = 'a'\nname_pattern = '(?<job'",
            "capture[1].name_pattern: expected a regular expression with named groups",
        ),
        (
            "[[capture]]\npath = 'a'\nname_pattern = '.*'",
            "capture[1].name_pattern: expected a regular expression with named groups",
        ),
        ("[[capture]]\npath = 'a'\num_per_px = -1", "expected a number from 0.001 to 100, or 0 for none, found -1"),
        ("[[capture]]\npath = 'a'\nfibre = 'om3'", "capture[1].fibre: expected a fibre type (sm-9-125, "),
        (
            "[[capture]]\npath = '.'",
            "ferrule.toml:2: capture[1].path: expected a directory apart from the dataset (/lab/bench/dataset)",
        ),
        ("[[capture]]\npath = 'dataset/images'", "expected a directory apart from the dataset"),
        (
            "[[alarm]]\nthreshold = 3",
            "ferrule.toml:1: alarm[1].kind: expected \"defect_rate\", \"fails_in_a_row\", \"failures\", \"silence\", \"quarantined\" or \"disk_low\", found nothing",
        ),
        ("[[alarm]]\nkind = 'rate'", "ferrule.toml:2: alarm[1].kind: expected \"defect_rate\""),
        (
            "[[alarm]]\nkind = 'defect_rate'\nthreshold = 101",
            "ferrule.toml:3: alarm[1].threshold: expected a percentage from 0 to 100, found 101",
        ),
        (
            "[[alarm]]\nkind = 'silence'\n[[alarm]]\nkind = 'silence'\nthreshold = 9",
            "ferrule.toml:4: alarm[2].name: expected a name of its own for each rule (set `name`), found \"silence\" again",
        ),
        (
            "[[alarm]]\nkind = 'silence'\nsource = 'scope-9'",
            "ferrule.toml:3: alarm[1].source: expected the name of a source (captures), found \"scope-9\"",
        ),
        (
            "[[alarm]]\nkind = 'disk_low'\nsource = 'captures'",
            "alarm[1].source: expected \"\" for disk_low, which is about no source, found \"captures\"",
        ),
        (
            "[[alarm]]\nkind = 'silence'\ncommand = 'mail'",
            "ferrule.toml:3: alarm[1].command: expected a list, each a text without NUL, found \"mail\"",
        ),
        ("[[alarm]]\nkind = 'silence'\ncommand = ['', 'x']", "expected a program before its arguments, found \"\""),
        (
            "[[alarm]]\nkind = 'silence'\ntreshold = 3",
            "alarm[1].treshold: unknown key; did you mean alarm[1].threshold?",
        ),
        ("[alarm]\nkind = 'silence'", "ferrule.toml:1: alarm: expected a list, [[alarm]], found a table"),
        ("[dataset]\npath = 'captures'", "expected a directory apart from the dataset"),
        ("[dataset]\nmasks = \"tiff\"", "expected \"png\", \"npy\", \"both\" or \"none\", found \"tiff\""),
        (
            "[dataset]\nmin_free_mb = 2000-01-01",
            "dataset.min_free_mb: expected a whole number from 0 to 4294967295, found a date",
        ),
        (
            "[log]\nlevel = 'loud'",
            "log.level: expected \"error\", \"warn\", \"info\", \"debug\" or \"trace\", found \"loud\"",
        ),
        ("[log]\nlevel = ", "ferrule.toml:2: "),
        ("[log]\nlevel = 'info'\nlevel = 'warn'", "ferrule.toml:3: duplicate key, at `level`"),
    ] {
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{text:?} gave {found:#?}");
        assert!(found[0].contains(line), "{text:?}\n gave      {}\n expected  {line}", found[0]);
        assert!(!found[0].contains('\n'));
    }
}

#[test]
fn all_mistakes_are_told_in_the_order_of_the_file() {
    let found = mistakes("[log]\nlevel = 'loud'\n[intake]\nsettle = 5\n[screen]\nmouse = 1\n");
    let lines: Vec<_> = found.iter().map(|mistake| mistake.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["2", "4", "6"]);
    let error = over("[log]\nlevel = 'loud'\nmax_mb = 0\n").unwrap_err().to_string();
    assert!(error.starts_with("ferrule.toml:2: log.level") && error.ends_with("(and 1 more)"), "{error}");
}

#[test]
fn a_file_that_is_no_text_or_is_missing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::at(folder.path());
    let missing = Configuration::load(&workspace).unwrap_err().to_string();
    assert!(missing.contains("ferrule.toml: cannot be read"), "{missing}");
    std::fs::write(workspace.configuration(), b"[log]\nlevel = '\xff'\n").unwrap();
    let binary = Configuration::load(&workspace).unwrap_err().to_string();
    assert!(binary.ends_with("ferrule.toml:2: expected UTF-8 text, found other bytes"), "{binary}");
}

#[test]
fn keys_of_the_workbench_are_lists_of_texts_under_any_name() {
    let read = |text: &str| Configuration::of(text, Path::new("ferrule.toml"), Path::new("/lab"));
    let given = read("[keys]\nquit = [\"Ctrl-q\"]\nfly = []\n").unwrap();
    assert_eq!(given.settings.keys["quit"], ["Ctrl-q"]);
    let shown = given.values.iter().find(|shown| shown.key == "keys.quit").unwrap();
    assert_eq!(shown.origin.to_string(), "ferrule.toml:2");
    let wrong = read("[keys]\nquit = \"q\"\n").unwrap_err().to_string();
    assert!(wrong.starts_with("ferrule.toml:2: keys.quit: expected a list"), "{wrong}");
    let theme = read("[screen]\ntheme = \"solarized\"\n").unwrap_err().to_string();
    assert!(theme.contains("\"contrast\""), "{theme}");
}

#[test]
fn a_mistake_shows_what_a_terminal_would_obey() {
    for text in ["a = \"\u{1b}[2J\"", "[dataset]\n\"\\u001b[31m\" = 1", "[\"\\u001b[31m\"]\nx = 1"] {
        for line in mistakes(text) {
            assert!(line.contains(r"\x1b") && !line.chars().any(char::is_control), "{line:?}");
        }
    }
}
