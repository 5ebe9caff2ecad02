//! A new plug-in: a crate that builds, passes its own test and `ferrule plugin check`, and does a little of what its slot is
//! for. Texts only: whoever calls writes them.
//!
//! The sources of `ferrule-abi` are compiled in (`build.rs`), so that a binary without its source tree can hand them out.
//! The templates are Rust whose name is `new-plugin`; a test builds all of them.

use std::path::{Path, PathBuf};

use crate::{host::card::Slot, ids::PluginId};

mod abi {
    include!(concat!(env!("OUT_DIR"), "/abi.rs"));
}

/// Where the interface lies, seen from the new crate, unless it is told otherwise.
const ABI: &str = "ferrule-abi";

/// Why there is no new plug-in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScaffoldError {
    #[error("`{0}` is no name for a crate: it begins with a digit, or is a word of Rust or cargo")]
    Name(PluginId),
    #[error("a new plug-in is for segment, detect, measure or grade; there is no template for {0}")]
    Slot(Slot),
}

/// The files of a new plug-in, by their paths below its folder. With `abi` the interface is there; else its sources are
/// among the files.
///
/// # Errors
/// A name that cargo would not take, a slot without a template.
pub fn files(name: &PluginId, slot: Slot, abi: Option<&Path>) -> Result<Vec<(PathBuf, String)>, ScaffoldError> {
    let snake = name.as_str().replace('-', "_");
    let starts_well = name.as_str().starts_with(|first: char| first.is_ascii_lowercase());
    if !starts_well || name.as_str().ends_with('-') || TAKEN.contains(&snake.as_str()) {
        return Err(ScaffoldError::Name(name.clone()));
    }
    let (library, call, parameter) = match slot {
        Slot::Segment => (include_str!("templates/segment.rs"), SEGMENT, "threshold = 0.4"),
        Slot::Detect => (include_str!("templates/detect.rs"), DETECT, "contrast = 30.0"),
        Slot::Measure => (include_str!("templates/measure.rs"), MEASURE, "min_confidence = 0.8"),
        Slot::Grade => (include_str!("templates/grade.rs"), GRADE, "largest_um = 3.0"),
        Slot::Train => return Err(ScaffoldError::Slot(slot)),
    };
    let camel: String =
        name.as_str().split('-').filter_map(|word| Some(word.get(..1)?.to_uppercase() + word.get(1..)?)).collect();
    let named = |template: &str| {
        template.replace("new_plugin", &snake).replace("new-plugin", name.as_str()).replace("NewPlugin", &camel)
    };
    let path = abi.map_or_else(|| ABI.to_owned(), |path| path.display().to_string());
    let manifest = include_str!("templates/manifest.toml")
        .replace("RUST-VERSION", env!("CARGO_PKG_RUST_VERSION"))
        .replace("\"ABI-PATH\"", &format!("{path:?}"));
    let readme = include_str!("templates/readme.md").replace("SLOT", slot.as_str()).replace("PARAMETER", parameter);
    let bench = include_str!("templates/speed.rs").replace("CALL\n", call);
    let mut files = vec![
        (PathBuf::from("Cargo.toml"), named(&manifest)),
        ("Cargo.lock".into(), abi::LOCK.to_owned()),
        (".gitignore".into(), "/target/\n".to_owned()),
        ("README.md".into(), named(&readme)),
        ("src/lib.rs".into(), named(library)),
        ("benches/speed.rs".into(), named(&bench)),
    ];
    if abi.is_none() {
        files.push((Path::new(ABI).join("Cargo.toml"), abi::MANIFEST.to_owned()));
        files.extend(abi::SOURCES.iter().map(|(path, text)| (Path::new(ABI).join(path), (*text).to_owned())));
    }
    Ok(files)
}

/// What cannot be the name of a crate: keywords, what the crate itself uses, and what cargo keeps for itself.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "ferrule_abi",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

const SEGMENT: &str = "\
fn call(plugin: &mut NewPlugin, image: &ImageView<'_>, _: &SegmentationView<'_>) -> Result<Segmentation, PluginError> {
    plugin.segment(image)
}
";

const DETECT: &str = "\
fn call(plugin: &mut NewPlugin, image: &ImageView<'_>, found: &SegmentationView<'_>) -> Result<Detections, PluginError> {
    plugin.detect(image, found)
}
";

const MEASURE: &str = "\
fn call(plugin: &mut NewPlugin, image: &ImageView<'_>, found: &SegmentationView<'_>) -> Result<Measurements, PluginError> {
    plugin.measure(image, found, &[])
}
";

const GRADE: &str = "\
fn call(plugin: &mut NewPlugin, image: &ImageView<'_>, found: &SegmentationView<'_>) -> Result<Verdict, PluginError> {
    plugin.grade(&GradeInput {
        width: image.width,
        height: image.height,
        zones: found.zones,
        defects: RSlice::EMPTY,
        um_per_px: ROption::RSome(0.42),
        pixel_aspect: 1.0,
        core_um: ROption::RNone,
        flags: RSlice::EMPTY,
    })
}
";

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, slot: Slot) -> Result<Vec<(PathBuf, String)>, ScaffoldError> {
        files(&name.parse().unwrap(), slot, None)
    }

    #[test]
    fn a_new_crate_is_named_throughout_and_brings_the_interface_along() {
        for slot in [Slot::Segment, Slot::Detect, Slot::Measure, Slot::Grade] {
            let files = of("find-dust-2", slot).unwrap();
            let text = |name: &str| &files.iter().find(|(path, _)| path == Path::new(name)).unwrap().1;
            for own in ["Cargo.toml", "README.md", "src/lib.rs", "benches/speed.rs"] {
                let text = text(own);
                for left in ["new-plugin", "new_plugin", "NewPlugin", "CALL", "SLOT", "ABI-PATH", "PARAMETER", "RUST-"]
                {
                    assert!(!text.contains(left), "{left} in {own}:\n{text}");
                }
            }
            assert!(text("src/lib.rs").contains("pub struct FindDust2"));
            assert!(text("Cargo.toml").contains("name = \"find-dust-2\""));
        }
    }

    #[test]
    fn the_interface_that_is_handed_out_is_the_whole_one() {
        let files = of("dust", Slot::Detect).unwrap();
        let text = |name: &str| files.iter().find(|(path, _)| path == Path::new(name)).map(|(_, text)| text);
        let root = text("ferrule-abi/src/lib.rs").unwrap();
        for module in root.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')) {
            assert!(text(&format!("ferrule-abi/src/{module}.rs")).is_some(), "{module}");
        }
        let manifest = text("ferrule-abi/Cargo.toml").unwrap();
        // With another version it would be refused by the host that handed it out.
        let ours = include_str!("../../../plugins/abi/Cargo.toml");
        let version = ours.lines().find(|line| line.starts_with("version = ")).unwrap();
        assert!(manifest.contains(&format!("\n{version}\n")), "{manifest}");
        assert!(manifest.contains("\nabi_stable = {") && !manifest.contains("workspace"), "{manifest}");
        let lock = text("Cargo.lock").unwrap();
        for package in ["abi_stable", "abi_stable_derive", "serde", "syn"] {
            assert!(lock.contains(&format!("\nname = \"{package}\"\n")), "{package} in {lock}");
        }
        assert!(!lock.contains("\nname = \"rusqlite\"\n"));
    }

    #[test]
    fn names_that_cargo_would_refuse_are_refused_first() {
        for name in ["2dust", "fn", "test", "ferrule-abi", "dust-"] {
            assert!(matches!(of(name, Slot::Detect), Err(ScaffoldError::Name(_))), "{name}");
        }
        assert!(matches!(of("dust", Slot::Train), Err(ScaffoldError::Slot(Slot::Train))));
    }
}
