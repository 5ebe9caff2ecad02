//! The one line that a person needs of a layout error of 6 to 50 KB: which field of which type differs, and how.
//!
//! The report is a list of sections, one a type that was compared, outermost first; each says how many errors it has,
//! the way to the type (`field_name:`, `type:`, `package:` for each step), both layouts, and its errors. What really
//! differs is in the last section with errors; those before it only contain it. Reads text, never fails. Called by
//! [`super::loader`].

use super::card::printable;

/// The crate whose types a plug-in's author knows; steps through other crates' types are left out.
const OURS: &str = "'ferrule-abi'";

/// One step on the way to a type.
#[derive(Debug, Default)]
struct Step<'a> {
    field: &'a str,
    type_name: &'a str,
    ours: bool,
}

/// What differs, in one line.
#[must_use]
pub fn explain(dump: &str) -> String {
    let lines: Vec<&str> = dump.lines().map(str::trim).collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].ends_with("error(s)inside:")).collect();
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    let sections = starts.iter().zip(ends).map(|(start, end)| &lines[*start..end]);
    let last = sections.filter(|section| !section[0].starts_with("0 error")).last();
    let line = last.and_then(|section| {
        let error = section.iter().position(|line| line.starts_with("Error:"))?;
        let what = section[error].trim_start_matches("Error:").trim();
        Some(format!("{}: {what}{}", place(section), values(&section[error + 1..])))
    });
    let head = || lines.iter().filter(|line| !line.is_empty()).take(3).copied().collect::<Vec<_>>().join(" ");
    printable(&line.unwrap_or_else(head))
}

/// `Type.field`, as the interface's sources write it.
fn place(section: &[&str]) -> String {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for line in section.iter().take_while(|line| !line.starts_with("Layout of")) {
        if let Some(field) = line.strip_prefix("field_name:") {
            steps.push(Step { field, ..Step::default() });
        } else if let (Some(step), Some(type_name)) = (steps.last_mut(), line.strip_prefix("type:")) {
            step.type_name = type_name.trim();
        } else if let (Some(step), true) = (steps.last_mut(), line.starts_with("package:")) {
            step.ours = line.contains(OURS);
        }
    }
    let Some(owner) = steps.iter().rposition(|step| step.ours) else { return "the interface".into() };
    // Steps through pointers and function results have names that nobody wrote.
    let written = |field: &&str| !field.starts_with("__") && field.bytes().any(|byte| !byte.is_ascii_digit());
    let mut name = format!("`{}", steps[owner].type_name);
    for field in steps[owner + 1..].iter().map(|step| step.field).filter(written).take(1) {
        name.push('.');
        name.push_str(field);
    }
    name + "`"
}

/// `, expected 80, found 8`, where a section says so.
fn values(after: &[&str]) -> String {
    let one = after.split(|line| line.starts_with("Error:")).next().unwrap_or_default();
    let value = |label: &str| {
        let at = one.iter().position(|line| *line == label)?;
        one[at + 1..].iter().find(|line| !line.is_empty()).copied()
    };
    match (value("Expected:"), value("Found:")) {
        (Some(expected), Some(found)) => format!(", expected {expected}, found {found}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DUMP: &str = "\
Compared <this>:
    --- Type Layout ---
2 error(s)inside:
    <other>

    field_name:0
    type:PluginLibrary
    package:'ferrule-abi' version:'0.1.0'

    field_name:describe
    type:AFunctionPointer
    package:'abi_stable' version:'0.11.3'

    field_name:0
    type:Descriptor
    package:'ferrule-abi' version:'0.1.0'

Layout of expected type:
    field_name:nonsense

Error:too many fields
Expected:
    8
Found:
    2
";

    #[test]
    fn the_last_type_with_an_error_is_named_with_both_values() {
        assert_eq!(explain(DUMP), "`Descriptor`: too many fields, expected 8, found 2");
        let deeper = format!(
            "{DUMP}1 error(s)inside:\n field_name:0\n type:Descriptor\n package:'ferrule-abi' version:'0.1.0'\n \
             field_name:version\n type:u32\n package:'std' version:'1.0.0'\nLayout of expected type:\n\
             Error:mismatched type\nExpected:\n RString\nFound:\n u32\n0 error(s)inside:\n field_name:0\n type:Other\n"
        );
        assert_eq!(explain(&deeper), "`Descriptor.version`: mismatched type, expected RString, found u32");
    }

    proptest! {
        #[test]
        fn any_text_gives_one_short_line(text in "([ a-zE:_]{0,12}\n|[0-3] error\\(s\\)inside:\n|Error:x\n|field_name:f\n){0,20}") {
            let line = explain(&text);
            prop_assert!(!line.contains('\n') && line.len() < 2000);
        }
    }
}
