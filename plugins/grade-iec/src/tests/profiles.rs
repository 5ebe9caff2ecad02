//! Profiles as files: those that ship, and a person's own.

use std::{fs, path::Path};

use ferrule_abi::{Outcome, Value};

use super::{EndFace, Spot, grader};
use crate::profile::{Profile, SHIPPED};

const OWN: &str = r#"name = "ours"
source = "our own drawing 7"
cladding_um = [60, 260]
core_um = [0, 250]
[core]
outer_um = 25
scratches = "none"
defects = "any"
[cladding]
outer_um = 115
scratches = "any"
defects = [{ below_um = 2 }, { up_to_um = 5, most = 5 }]
"#;

fn rules(text: &str) -> Value {
    Value::Text(text.into())
}

#[test]
fn every_file_of_criteria_ships_under_its_own_name_and_names_its_source() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/criteria");
    let mut files: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let mut shipped: Vec<String> = SHIPPED.iter().map(|(file, _)| (*file).to_owned()).collect();
    shipped.sort();
    assert_eq!(files, shipped);
    for (file, text) in SHIPPED {
        let profile = Profile::parse(text).unwrap_or_else(|fault| panic!("{file}, {fault}"));
        assert_eq!(format!("{}.toml", profile.name), file);
        assert!(["Panduit FS061 (2018)", "IEC 61300-3-35"].iter().any(|known| profile.source.starts_with(known)));
    }
}

#[test]
fn own_rules_are_used_instead_of_a_profile_that_ships() {
    let face = EndFace::single_mode().with(Spot::pit(0.0, 4.0));
    assert_eq!(face.by("sm-pc-panduit").overall, Outcome::Fail);
    let own = face.grade(&[("rules", rules(OWN)), ("profile", rules("sm-pc-panduit"))]);
    assert_eq!((own.profile.as_str(), own.overall), ("ours", Outcome::Pass));
    assert_eq!(own.zones.len(), 2, "a profile may end at the cladding");
}

#[test]
fn a_mistake_in_own_rules_is_one_line_that_names_line_and_key() {
    let refused = |from: &str, to: &str| {
        assert!(OWN.contains(from), "{from}");
        let Err(error) = grader(&[("rules", rules(&OWN.replacen(from, to, 1)))]) else { panic!("{to} was taken") };
        let error = error.to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    };
    assert_eq!(
        refused("outer_um = 115", "outer_um = 20"),
        "parameter `rules`, line 10: `cladding.outer_um`: expected micrometres above 25, at most 10000, found 20"
    );
    assert_eq!(
        refused("up_to_um = 5,", "up_to_um = 2,"),
        "parameter `rules`, line 12: `cladding.defects[1].up_to_um`: expected micrometres above 2, at most 10000, found 2"
    );
    assert_eq!(
        refused("scratches = \"none\"", "scrathces = \"none\""),
        "parameter `rules`, line 5: `core.scratches` is missing: expected \"any\", \"none\" or a list like \
         [{ below_um = 2 }, { up_to_um = 5, most = 5 }]"
    );
    assert_eq!(
        refused("most = 5", "mots = 5"),
        "parameter `rules`, line 12: `cladding.defects[1].mots` is not known here: expected one of up_to_um"
    );
    assert!(refused("most = 5", "most = -1").contains("line 12: `cladding.defects[1].most`: expected a whole number"));
    assert!(refused("most = 5", "most = 1.5").contains("found 1.5"));
    assert!(refused("\"none\"", "\"some\"").contains("line 7: `core.scratches`: expected \"any\", \"none\" or a list"));
    assert!(refused("source = \"our own drawing 7\"", "").contains("`source` is missing"));
    assert!(refused("[60, 260]", "[260, 60]").contains("line 3: `cladding_um`: expected two rising numbers"));
    assert!(refused("[core]", "[core").contains("line 5: not TOML"));
    assert!(refused("below_um = 2 ", "below_um = nan ").contains("`cladding.defects[0].below_um`"));
    assert!(refused("[cladding]", "[kladding]").contains("`cladding` is missing: expected a table [cladding]"));
    assert!(refused("outer_um = 25\n", "outer_um = 25\ncolour = 1\n").contains("line 7: `core.colour` is not known"));
}

#[test]
fn an_unknown_profile_is_refused_with_those_that_ship() {
    let Err(error) = grader(&[("profile", rules("sm-upc"))]) else { panic!("taken") };
    assert!(
        error.to_string().contains("sm-pc-panduit, sm-pc-bicsi, sm-apc-panduit, mm-pc-panduit, mm-pc-ed1"),
        "{error}"
    );
}
