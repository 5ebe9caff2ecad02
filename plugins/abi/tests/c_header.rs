//! The C header and the Rust types are one interface: a compiler of C is asked what it makes of the header.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    collections::BTreeSet,
    fmt::{Debug, Write},
    fs, io,
    mem::offset_of,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ferrule_abi::{
    BoundingBox, DefectKind, Ellipse, Outcome, PixelFormat, Profile, Run, Severity, Slot, ZoneName,
    c::{self, Code, ParameterCode, TypeCode},
};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header() -> String {
    fs::read_to_string(here().join("include/ferrule_plugin.h")).unwrap()
}

/// A file in a folder of these tests.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A compiler, with every warning an error.
fn compile(compiler: &str, standard: &str, arguments: &[&str]) -> io::Result<Output> {
    Command::new(compiler)
        .args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(here().join("include"))
        .args(arguments)
        .output()
}

fn expect_success(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `name size`, and `name.member offset size` of each member.
type Layout = (&'static str, Vec<(&'static str, usize, usize)>, usize);

fn member_size<T, M>(_: fn(&T) -> &M) -> usize {
    size_of::<M>()
}

macro_rules! layouts {
    ($($name:ident is $type:path { $($member:ident),+ $(,)? })+) => {
        fn layouts() -> Vec<Layout> {
            vec![$({
                // A member that is missing here does not compile.
                let _ = |it: $type| { let $type { $($member: _),+ } = it; };
                let members = vec![$((
                    stringify!($member).trim_start_matches("r#"),
                    offset_of!($type, $member),
                    member_size(|it: &$type| &it.$member),
                )),+];
                (stringify!($name), members, size_of::<$type>())
            }),+]
        }
    };
}

layouts! {
    FerruleValue is c::Value { r#type, boolean, integer, real, text }
    FerruleNamedValue is c::NamedValue { name, value }
    FerruleParameterSpec is c::ParameterSpec {
        name, unit, help, kind, default_bool, default_integer, low_integer, high_integer, default_real, low_real,
        high_real, default_text, options, option_count,
    }
    FerruleDescriptor is c::Descriptor {
        id, version, summary, slot, profile, accepts, parameters, parameter_count,
    }
    FerruleImage is c::Image { pixels, format, width, height, stride, um_per_px, pixel_aspect }
    FerruleEllipse is Ellipse { cx, cy, ax, by, angle_deg }
    FerruleZone is c::Zone { outline, confidence, name }
    FerruleSegmentation is c::Segmentation { zones, zone_count, labels }
    FerruleBox is BoundingBox { x, y, width, height }
    FerruleRun is Run { y, x, length }
    FerruleDefect is c::Defect {
        kind, severity, confidence, bbox, x, y, length_px, width_px, angle_deg, area_px, mask, run_count, attributes,
        attribute_count,
    }
    FerruleGradedDefect is c::GradedDefect {
        kind, severity, confidence, x, y, length_px, width_px, angle_deg, area_px, zone, mask, run_count,
    }
    FerruleGradeInput is c::GradeInput {
        width, height, zones, zone_count, defects, defect_count, um_per_px, pixel_aspect, core_um, flags, flag_count,
    }
    FerruleFeature is c::Feature { region, name, unit, value }
    FerruleHistogram is c::Histogram { region, name, low, high, counts, bin_count }
    FerruleZoneVerdict is c::ZoneVerdict { zone, outcome, rule, defects, defect_count }
    FerruleVerdict is c::Verdict { outcome, profile, reason }
    FerruleHost is c::Host {
        size, version, context, fail, add_plugin, add_zone, set_labels, add_defect, add_feature, add_histogram,
        add_zone_verdict, set_verdict, add_attribute,
    }
    FerrulePlugin is c::Plugin { size, version, describe, create, destroy, segment, detect, measure, grade }
}

/// The codes of a type as the header names them: `NotGraded` after `OUTCOME` is `FERRULE_OUTCOME_NOT_GRADED`.
fn codes<T: Code + Debug>(prefix: &str) -> Vec<(String, u32)> {
    let screaming = |word: &T| {
        let mut name = format!("FERRULE_{prefix}");
        for letter in format!("{word:?}").chars() {
            if letter.is_uppercase() {
                name.push('_');
            }
            name.push(letter.to_ascii_uppercase());
        }
        name
    };
    T::CODES.iter().map(|(code, word)| (screaming(word), *code)).collect()
}

fn all_codes() -> Vec<(String, u32)> {
    let mut all = vec![
        ("FERRULE_OK".to_owned(), c::OK.cast_unsigned()),
        ("FERRULE_FAILED".to_owned(), c::FAILED.cast_unsigned()),
    ];
    all.extend(codes::<Slot>("SLOT"));
    all.extend(codes::<Profile>("PROFILE"));
    all.extend(codes::<PixelFormat>("FORMAT"));
    all.extend(codes::<ZoneName>("ZONE"));
    all.extend(codes::<DefectKind>("KIND"));
    all.extend(codes::<Severity>("SEVERITY"));
    all.extend(codes::<Outcome>("OUTCOME"));
    all.extend(codes::<TypeCode>("TYPE"));
    all.extend(codes::<ParameterCode>("PARAMETER"));
    all
}

#[test]
fn sizes_offsets_and_codes_are_those_of_the_header() {
    let mut program = String::from("#include <stdio.h>\n#include \"ferrule_plugin.h\"\nint main(void)\n{\n");
    let mut expected = String::new();
    for (name, members, size) in layouts() {
        writeln!(program, "printf(\"{name} %zu\\n\", sizeof({name}));").unwrap();
        writeln!(expected, "{name} {size}").unwrap();
        for (member, offset, size) in members {
            let place = format!("offsetof({name}, {member}), sizeof((({name} *)0)->{member})");
            writeln!(program, "printf(\"{name}.{member} %zu %zu\\n\", {place});").unwrap();
            writeln!(expected, "{name}.{member} {offset} {size}").unwrap();
        }
    }
    for (name, code) in all_codes() {
        writeln!(program, "printf(\"{name} %u\\n\", (unsigned){name});").unwrap();
        writeln!(expected, "{name} {code}").unwrap();
    }
    program.push_str("printf(\"version %u\\n\", FERRULE_PLUGIN_VERSION);\nreturn 0;\n}\n");
    writeln!(expected, "version {}", c::VERSION).unwrap();

    let (source, printer) = (scratch("layout.c"), scratch("layout"));
    fs::write(&source, program).unwrap();
    let files = [source.to_str().unwrap(), "-o", printer.to_str().unwrap()];
    expect_success(&compile("cc", "-std=c99", &files).expect("a C compiler, `cc`"));
    let printed = Command::new(printer).output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), expected, "left: the header, right: ferrule_abi::c");
}

#[test]
fn nothing_of_the_header_is_left_out_of_the_comparison() {
    let header = header();
    let structures: BTreeSet<&str> =
        header.split("typedef struct ").skip(1).map(|rest| rest.split_whitespace().next().unwrap()).collect();
    let compared: BTreeSet<&str> = layouts().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(structures, compared);
    let words = header.split(|letter: char| !(letter.is_ascii_alphanumeric() || "_=".contains(letter)));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let codes: BTreeSet<String> = words
        .windows(2)
        .filter(|pair| pair[0].starts_with("FERRULE_") && pair[1] == "=")
        .map(|pair| pair[0].to_owned())
        .collect();
    assert_eq!(codes, all_codes().into_iter().map(|(name, _)| name).collect());
    assert!(header.contains(&format!("const FerrulePlugin {};", c::SYMBOL)));
}

#[test]
fn header_and_example_compile_without_a_warning_as_c99_and_as_cpp17() {
    let twice = scratch("twice.c");
    fs::write(&twice, "#include \"ferrule_plugin.h\"\n#include \"ferrule_plugin.h\"\nint nothing;\n").unwrap();
    let example = here().join("examples/bright_spots.c");
    for source in [&twice, &example] {
        let source = source.to_str().unwrap();
        expect_success(&compile("cc", "-std=c99", &["-fsyntax-only", source]).expect("a C compiler, `cc`"));
        match compile("c++", "-std=c++17", &["-fsyntax-only", "-x", "c++", source]) {
            Ok(output) => expect_success(&output),
            Err(error) if error.kind() == io::ErrorKind::NotFound => eprintln!("no `c++` here: {source} is not tried"),
            Err(error) => panic!("{error}"),
        }
    }
}
