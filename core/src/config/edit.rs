//! Changes a list in a person's `ferrule.toml` and leaves everything else as it stands there: comments, order, spaces.
//!
//! `ferrule init` writes every key commented out below its reason. A list that is still so is taken out of its comment in
//! place: a second `[pipeline]` at the end would forbid to uncomment the first. Called by [`crate::change`],
//! which reads the result again before it writes it.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

pub use toml_edit::Value;
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, value};

/// Why a text was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("it is no TOML: {0}")]
    NoToml(String),
    #[error("{section}.{key} is no list there; write it by hand: {key} = {wanted}")]
    NoList { section: String, key: String, wanted: String },
}

/// The text with `section.key` being this list.
///
/// # Errors
/// A text that is no TOML, or that has something else under that key.
pub fn set_list(text: &str, section: &str, key: &str, wanted: &[&str]) -> Result<String, EditError> {
    let mut document: DocumentMut = parse(text)?;
    let there = document.get(section).and_then(Item::as_table_like).and_then(|table| table.get(key)).is_some();
    if !there && let Some(uncommented) = uncomment(text, section, key, &written(wanted)) {
        return Ok(uncommented);
    }
    if document.get(section).is_none() {
        // At the end of the text, behind whatever comments end it: toml_edit would put it before them.
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{end}\n[{section}]\n{key} = {}\n", written(wanted)));
    }
    let no_list = || EditError::NoList { section: section.into(), key: key.into(), wanted: written(wanted) };
    let table: &mut dyn TableLike =
        document.entry(section).or_insert(Item::Table(Table::new())).as_table_like_mut().ok_or_else(no_list)?;
    match table.get_mut(key) {
        None => {
            table.insert(key, value(wanted.iter().copied().collect::<Array>()));
        }
        Some(item) => change(item.as_array_mut().ok_or_else(no_list)?, wanted),
    }
    Ok(document.to_string())
}

/// The text with `key` of `[plugin.ID]` being this value, written as TOML.
///
/// # Errors
/// A text that is no TOML, or that has something else under those names.
pub fn set_parameter(text: &str, plugin: &str, key: &str, wanted: Value) -> Result<String, EditError> {
    let mut document: DocumentMut = parse(text)?;
    let section = format!("plugin.{plugin}");
    let no_table = || EditError::NoList { section: section.clone(), key: key.into(), wanted: wanted.to_string() };
    let there = document.get("plugin").and_then(Item::as_table_like).and_then(|table| table.get(plugin));
    if there.is_none() {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{end}\n[{section}]\n{key} = {}\n", wanted.to_string().trim()));
    }
    let table = document.get_mut("plugin").and_then(Item::as_table_like_mut).and_then(|table| table.get_mut(plugin));
    let table = table.and_then(Item::as_table_like_mut).ok_or_else(no_table)?;
    table.insert(key, Item::Value(wanted.clone()));
    Ok(document.to_string())
}

/// The text without `key` of `[plugin.ID]`; the table stays, and so does what else is in it.
///
/// # Errors
/// A text that is no TOML.
pub fn remove_parameter(text: &str, plugin: &str, key: &str) -> Result<String, EditError> {
    let mut document: DocumentMut = parse(text)?;
    let table = document.get_mut("plugin").and_then(Item::as_table_like_mut).and_then(|table| table.get_mut(plugin));
    if let Some(table) = table.and_then(Item::as_table_like_mut) {
        table.remove(key);
    }
    Ok(document.to_string())
}

/// Writes the text in the file's place, with the file's mode: whoever reads meanwhile reads the former text or this one.
///
/// # Errors
/// The disk, or a folder that may not be written.
pub fn write(file: &Path, text: &str) -> io::Result<()> {
    // A link stays a link.
    let real = file.canonicalize()?;
    let folder = real.parent().unwrap_or(Path::new("/"));
    let mode = fs::metadata(&real)?.permissions().mode() & 0o7777;
    let mut beside = tempfile::Builder::new().prefix(".ferrule-").suffix(".part").tempfile_in(folder)?;
    beside.write_all(text.as_bytes())?;
    beside.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    beside.as_file().sync_all()?;
    beside.persist(&real)?;
    fs::File::open(folder)?.sync_all()
}

fn parse(text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        EditError::NoToml(error.message().lines().next().unwrap_or_default().to_owned())
    })
}

fn written(list: &[&str]) -> String {
    let items: Vec<String> = list.iter().map(|item| format!("{item:?}")).collect();
    format!("[{}]", items.join(", "))
}

/// The text with `#key = …` below `[section]` or `#[section]` replaced and both taken out of their comments; `None` where
/// they do not stand so, or where that does not make the list what it is to be.
fn uncomment(text: &str, section: &str, key: &str, list: &str) -> Option<String> {
    let (active, commented) = (format!("[{section}]"), format!("#[{section}]"));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is = |line: &str, header: &str| line.trim_end() == header;
    let header = lines.iter().position(|line| is(line, &active));
    let header = header.or_else(|| lines.iter().position(|line| is(line, &commented)))?;
    let below = &lines[header + 1..];
    let end = below.iter().position(|line| line.starts_with('[') || line.starts_with("#[")).unwrap_or(below.len());
    let assigned = |line: &&str| {
        let rest = line.strip_prefix('#').and_then(|rest| rest.strip_prefix(key));
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let at = header + 1 + below[..end].iter().position(assigned)?;
    let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    changed[header] = lines[header].trim_start_matches('#').to_owned();
    changed[at] = format!("{key} = {list}\n");
    let changed = changed.concat();
    let read = changed.parse::<DocumentMut>().ok()?;
    let value = read.get(section)?.get(key)?.as_array()?;
    (plain(value) == list).then_some(changed)
}

fn plain(array: &Array) -> String {
    let items: Vec<&str> = array.iter().filter_map(Value::as_str).collect();
    written(&items)
}

/// Takes out what is not wanted and puts in what is missing, at its place.
fn change(array: &mut Array, wanted: &[&str]) {
    for index in (0..array.len()).rev() {
        let stays = array.get(index).and_then(Value::as_str).is_some_and(|item| wanted.contains(&item));
        if !stays {
            remove(array, index);
        }
    }
    for (index, item) in wanted.iter().enumerate() {
        if array.get(index).and_then(Value::as_str) != Some(*item) {
            insert(array, index.min(array.len()), item);
        }
    }
}

/// What stands between an item and the one before it: spaces, a line's end, comments.
fn before(array: &Array, index: usize) -> String {
    let text = match array.get(index) {
        Some(item) => item.decor().prefix().and_then(|prefix| prefix.as_str()),
        None => array.trailing().as_str(),
    };
    text.unwrap_or_default().to_owned()
}

fn set_before(array: &mut Array, index: usize, text: &str) {
    match array.get_mut(index) {
        Some(item) => item.decor_mut().set_prefix(text),
        None => array.set_trailing(text),
    }
}

/// How items are indented, where each has a line.
fn indent(array: &Array) -> Option<String> {
    let first = before(array, 0);
    first.rsplit_once('\n').map(|(_, indent)| indent.to_owned())
}

fn remove(array: &mut Array, index: usize) {
    let (gone, next, indent) = (before(array, index), before(array, index + 1), indent(array));
    array.remove(index);
    let comments = |text: &str| text.contains('#');
    let joined = match indent {
        // What was said of either item stays, on a line of its own.
        Some(indent) if comments(&next) => format!("{}\n{indent}{}", gone.trim_end(), next.trim_start()),
        Some(_) if index == array.len() => format!("{}{next}", gone.trim_end()),
        None if index > 0 || comments(&next) => next,
        _ => gone,
    };
    set_before(array, index, &joined);
}

fn insert(array: &mut Array, index: usize, item: &str) {
    let Some(indent) = indent(array) else {
        array.insert(index, item);
        if index == 0 && array.len() > 1 && before(array, 1).is_empty() {
            set_before(array, 1, " ");
        }
        return;
    };
    // Up to its line's end it belongs to the item before; after that to the one that follows.
    let there = before(array, index);
    let (of_former, of_next) = there.split_once('\n').unwrap_or((&there, ""));
    let mut new = Value::from(item);
    new.decor_mut().set_prefix(format!("{of_former}\n{indent}"));
    let next = format!("\n{of_next}");
    array.insert_formatted(index, new);
    set_before(array, index + 1, &next);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, wanted: &[&str]) -> String {
        set_list(text, "pipeline", "detect", wanted).unwrap()
    }

    #[test]
    fn a_list_keeps_its_comments_whatever_goes_or_comes() {
        let text = "# mine\n[pipeline] # slots\ndetect = [\n    # the fast one\n    \"a\", # first\n    \"b\", # second\n    \
                    \"c\",\n] # end\nmeasure = []\n";
        let without = set(text, &["a", "c"]);
        let expected = text.replace("    \"b\", # second\n", "    # second\n");
        assert_eq!(without, expected);
        let more = set(text, &["a", "b", "c", "d"]);
        assert_eq!(more, text.replace("    \"c\",\n", "    \"c\",\n    \"d\",\n"));
        let between = set(text, &["a", "x", "b", "c"]);
        assert_eq!(between, text.replace("\"b\", #", "\"x\",\n    \"b\", #"));
        for gone in [&["b", "c"][..], &["a", "b"], &["c"], &[]] {
            let text = set(text, gone);
            for comment in ["# mine", "# slots", "# the fast one", "# first", "# second", "# end"] {
                assert!(text.contains(comment), "{comment} in {text}");
            }
            let read: DocumentMut = text.parse().unwrap();
            assert_eq!(plain(read["pipeline"]["detect"].as_array().unwrap()), written(gone), "{text}");
        }
    }

    #[test]
    fn a_list_on_one_line_stays_on_one() {
        let text = "[pipeline]\ndetect = [\"a\", \"b\"] # both\n";
        assert_eq!(set(text, &["a"]), "[pipeline]\ndetect = [\"a\"] # both\n");
        assert_eq!(set(text, &["b"]), "[pipeline]\ndetect = [\"b\"] # both\n");
        assert_eq!(set(text, &["a", "b", "c"]), "[pipeline]\ndetect = [\"a\", \"b\", \"c\"] # both\n");
        assert_eq!(set(text, &["c", "a", "b"]), "[pipeline]\ndetect = [\"c\", \"a\", \"b\"] # both\n");
        assert_eq!(set("pipeline.detect = [\"a\"]\n", &[]), "pipeline.detect = []\n");
    }

    #[test]
    fn a_list_that_is_commented_out_is_taken_out_of_its_comment_in_place() {
        let text = "[[capture]]\npath = \"x\"\n# How it is called.\n#name = \"\"\n\n#[pipeline]\n# All of them.\n\
                    #detect = [\"a\"]\n# Numbers.\n#measure = []\n\n#[log]\n#level = \"info\"\n";
        let expected = text.replace("#[pipeline]", "[pipeline]").replace("#detect = [\"a\"]", "detect = [\"b\"]");
        assert_eq!(set(text, &["b"]), expected);
        let active = text.replace("#[pipeline]", "[pipeline]").replace("#measure", "measure");
        assert_eq!(set(&active, &["b"]), expected.replace("#measure", "measure"));
    }

    #[test]
    fn where_there_is_no_section_it_comes_at_the_end() {
        let text = "[log]\nlevel = \"info\"\n# the last word";
        assert_eq!(set(text, &["b"]), format!("{text}\n\n[pipeline]\ndetect = [\"b\"]\n"));
        assert_eq!(set("[pipeline]\nmeasure = []\n", &["b"]), "[pipeline]\nmeasure = []\ndetect = [\"b\"]\n");
    }

    #[test]
    fn a_parameter_is_set_and_taken_out_again_and_the_rest_stays() {
        let text = "# mine\n[plugin.detect-region]\nk = 3.0 # often enough\n";
        let more = set_parameter(text, "detect-region", "radius", 9_i64.into()).unwrap();
        assert_eq!(more, format!("{text}radius = 9\n"));
        assert_eq!(remove_parameter(&more, "detect-region", "radius").unwrap(), text);
        assert_eq!(remove_parameter(text, "detect-other", "radius").unwrap(), text);
        let new = set_parameter(text, "detect-scratch", "k", 2.5.into()).unwrap();
        assert_eq!(new, format!("{text}\n[plugin.detect-scratch]\nk = 2.5\n"));
    }

    #[test]
    fn something_else_under_that_key_is_left_alone() {
        assert!(set_list("[pipeline]\ndetect = 7\n", "pipeline", "detect", &["a"]).is_err());
        assert!(set_list("[[[", "pipeline", "detect", &["a"]).is_err());
    }
}
