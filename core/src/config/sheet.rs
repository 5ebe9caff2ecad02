//! Two TOML texts laid over each other, read key by key. What is read is recorded: so the keys that are read *are* the
//! keys that exist, unknown ones are found, and the JSON schema and `config show` need no second list.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Configuration, ConfigurationError, Mistake, Origin, SHIPPED, ValueShown,
    kind::{Kind, Wrong, describe},
    nearest::nearest,
    sections,
};

/// A key that exists.
pub(super) struct Known {
    pub section: &'static str,
    pub name: &'static str,
    pub schema: Json,
}

/// One text.
pub(super) struct Layer<'a> {
    pub text: &'a str,
    /// `None` for the shipped one.
    pub file: Option<&'a Path>,
    pub table: &'a DeTable<'a>,
}

impl Layer<'_> {
    pub fn line(&self, span: &Range<usize>) -> usize {
        line_at(self.text, span.start)
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        match self.file {
            Some(file) => Origin::File { file: file.to_path_buf(), line: self.line(span) },
            None => Origin::Default,
        }
    }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// What has been read so far.
pub(super) struct Sheet<'a> {
    /// The topmost first; the last is the shipped text.
    pub layers: Vec<Layer<'a>>,
    pub root: &'a Path,
    known: Vec<Known>,
    /// Keys that nobody reads; what to say of one is known when all sections are.
    strays: Vec<Stray>,
    values: Vec<ValueShown>,
    mistakes: Vec<Mistake>,
}

/// A key where it is not known.
struct Stray {
    layer: usize,
    span: Range<usize>,
    /// Of its section; empty outside of all.
    prefix: String,
    name: String,
    /// What is known there.
    known: Vec<&'static str>,
}

/// Reads the shipped text with, perhaps, a workspace's laid over it.
pub(super) fn read(
    over: Option<(&str, &Path)>,
    root: &Path,
) -> Result<(Configuration, Vec<Known>), ConfigurationError> {
    let top = over.map(|(text, file)| parse(text, file).map(|table| (text, file, table))).transpose()?;
    let shipped = parse(SHIPPED, Path::new("config/ferrule.toml"))?;
    let mut layers = Vec::new();
    if let Some((text, file, table)) = &top {
        layers.push(Layer { text, file: Some(file), table: table.get_ref() });
    }
    layers.push(Layer { text: SHIPPED, file: None, table: shipped.get_ref() });

    let mut sheet =
        Sheet { layers, root, known: Vec::new(), strays: Vec::new(), values: Vec::new(), mistakes: Vec::new() };
    let settings = sections::read(&mut sheet);
    sheet.refuse_unknown_sections();
    sheet.refuse_strays();
    let Sheet { known, values, mut mistakes, .. } = sheet;
    match settings {
        Some(settings) if mistakes.is_empty() => Ok((Configuration { settings, values }, known)),
        _ => {
            mistakes.sort_by_key(|mistake| mistake.line);
            Err(ConfigurationError::Mistakes(mistakes))
        }
    }
}

fn parse<'t>(text: &'t str, file: &Path) -> Result<Spanned<DeTable<'t>>, ConfigurationError> {
    DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        // The parser's message may go on in further lines; the first says what it is.
        let mut message = error.message().lines().next().unwrap_or("not TOML").to_owned();
        if let Some(at) = error.span().and_then(|span| text.get(span)).filter(|at| !at.trim().is_empty()) {
            let at: String = at.lines().next().unwrap_or_default().chars().take(40).collect();
            message.push_str(&format!(", at `{at}`"));
        }
        ConfigurationError::Mistakes(vec![Mistake { file: file.to_path_buf(), line, key: String::new(), message }])
    })
}

impl<'a> Sheet<'a> {
    /// Reads `[name]` from all layers.
    pub fn section<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Section<'_, 'a>) -> Option<T>,
    ) -> Option<T> {
        let mut tables = Vec::new();
        for index in 0..self.layers.len() {
            let Some(value) = self.layers[index].table.get(name) else { continue };
            match value.get_ref() {
                DeValue::Table(table) => tables.push((index, table)),
                other => self.wrong(index, &value.span(), name, &format!("a table, [{name}]"), &describe(other)),
            }
        }
        self.read_section(name, name.to_owned(), tables, read)
    }

    /// Reads one table that lies in several layers, the topmost first; `prefix` names it to people.
    pub fn read_section<T>(
        &mut self,
        section: &'static str,
        prefix: String,
        tables: Vec<(usize, &'a DeTable<'a>)>,
        read: impl FnOnce(&mut Section<'_, 'a>) -> Option<T>,
    ) -> Option<T> {
        let mut section = Section { sheet: self, section, prefix, tables, asked: Vec::new() };
        let value = read(&mut section);
        section.refuse_unknown_keys();
        value
    }

    /// The tables of a list, `[[name]]`, from the topmost layer that has one: each with its layer and its place.
    pub fn list(&mut self, name: &str) -> Vec<(usize, &'a DeTable<'a>, Range<usize>)> {
        let mut entries = Vec::new();
        for layer in 0..self.layers.len() {
            let Some(value) = self.layers[layer].table.get(name) else { continue };
            match value.get_ref() {
                DeValue::Array(items) => {
                    for item in items {
                        match item.get_ref() {
                            DeValue::Table(table) => entries.push((layer, table, item.span())),
                            other => {
                                let expected = format!("tables, [[{name}]]");
                                self.wrong(layer, &item.span(), name, &expected, &describe(other));
                            }
                        }
                    }
                    break;
                }
                other => {
                    self.wrong(layer, &value.span(), name, &format!("a list, [[{name}]]"), &describe(other));
                }
            }
        }
        entries
    }

    /// The tables of a list in the shipped text: what those of a workspace are laid over.
    pub fn shipped_list(&self, name: &str) -> Vec<&'a DeTable<'a>> {
        let shipped = self.layers.last().and_then(|layer| layer.table.get(name));
        let Some(DeValue::Array(items)) = shipped.map(Spanned::get_ref) else { return Vec::new() };
        items.iter().filter_map(|item| item.get_ref().as_table()).collect()
    }

    /// Records that the value at `span` is not what its key takes.
    pub fn wrong(&mut self, layer: usize, span: &Range<usize>, key: &str, expected: &str, found: &str) {
        self.mistake(layer, span, key, format!("expected {expected}, found {found}"));
    }

    pub fn mistake(&mut self, layer: usize, span: &Range<usize>, key: &str, message: String) {
        let layer = &self.layers[layer];
        let file = layer.file.map_or_else(|| PathBuf::from("config/ferrule.toml"), Path::to_path_buf);
        let line = layer.line(span);
        self.mistakes.push(Mistake { file, line, key: key.to_owned(), message });
    }

    /// Records a value for `config show`: the source text, with the folds of a longer list taken out.
    pub fn show(&mut self, layer: usize, span: &Range<usize>, key: String) {
        let layer = &self.layers[layer];
        let written = layer.text.get(span.clone()).unwrap_or_default();
        let lines = written.lines().map(|line| if written.contains('\n') { line.trim() } else { line });
        let value = lines.collect::<Vec<_>>().join(" ");
        let origin = layer.origin(span);
        self.values.push(ValueShown { key, value, origin });
    }

    fn refuse_unknown_sections(&mut self) {
        // These four are lists and maps: with no entry, no key of theirs was read.
        let mut names = vec!["capture"];
        // A table within a section is its section's to know.
        let own = |section: &&str| !["capture", "alarm"].contains(section) && !section.contains('.');
        names.extend(self.known.iter().map(|known| known.section).filter(own));
        names.extend(["plugin", "keys", "alarm"]);
        names.dedup();
        for layer in 0..self.layers.len() {
            for (key, _) in self.layers[layer].table.iter() {
                let name: &str = key.get_ref();
                if !names.contains(&name) {
                    let (prefix, name, known) = (String::new(), name.to_owned(), names.clone());
                    self.strays.push(Stray { layer, span: key.span(), prefix, name, known });
                }
            }
        }
    }

    fn refuse_strays(&mut self) {
        for Stray { layer, span, prefix, name, known } in std::mem::take(&mut self.strays) {
            let what = if prefix.is_empty() { "section" } else { "key" };
            let elsewhere = self.known.iter().find(|known| known.name == name).map(|known| known.section);
            let message = match (elsewhere, nearest(&name, known.iter().copied())) {
                // A line was uncommented, and the one with its section above was not.
                (Some(list @ ("capture" | "alarm")), _) => format!("unknown {what}; {name} belongs into a [[{list}]]"),
                (Some(section), _) => {
                    format!("unknown {what}; {name} belongs into [{section}]: write that line above it")
                }
                (None, Some(meant)) if prefix.is_empty() => format!("unknown {what}; did you mean {meant}?"),
                (None, Some(meant)) => format!("unknown {what}; did you mean {prefix}.{meant}?"),
                (None, None) => format!("unknown {what}; known here: {}", known.join(", ")),
            };
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            self.mistake(layer, &span, &key, message);
        }
    }
}

/// One table of the configuration, laid over itself in every layer.
pub(super) struct Section<'s, 'a> {
    pub sheet: &'s mut Sheet<'a>,
    section: &'static str,
    prefix: String,
    tables: Vec<(usize, &'a DeTable<'a>)>,
    asked: Vec<&'static str>,
}

/// Where a value stands.
#[derive(Clone)]
pub(super) struct Place {
    pub layer: usize,
    pub span: Range<usize>,
    pub key: String,
}

impl<'a> Section<'_, 'a> {
    /// Reads a table within this one; `dotted` is its whole name.
    pub fn table<T>(
        &mut self,
        name: &'static str,
        dotted: &'static str,
        read: impl FnOnce(&mut Section<'_, 'a>) -> Option<T>,
    ) -> Option<T> {
        self.asked.push(name);
        let mut tables = Vec::new();
        for (index, table) in &self.tables {
            let Some(value) = table.get(name) else { continue };
            match value.get_ref() {
                DeValue::Table(inner) => tables.push((*index, inner)),
                other => {
                    self.sheet.wrong(*index, &value.span(), dotted, &format!("a table, [{dotted}]"), &describe(other));
                }
            }
        }
        self.sheet.read_section(dotted, dotted.to_owned(), tables, read)
    }

    /// The value of the topmost layer that has a right one. A wrong one is recorded, and reading goes on.
    pub fn take<K: Kind>(&mut self, name: &'static str, kind: &K) -> Option<K::Value> {
        self.take_with_place(name, kind).map(|(value, _)| value)
    }

    pub fn take_with_place<K: Kind>(&mut self, name: &'static str, kind: &K) -> Option<(K::Value, Place)> {
        self.asked.push(name);
        let (section, schema) = (self.section, kind.schema());
        if !self.sheet.known.iter().any(|known| known.section == section && known.name == name) {
            self.sheet.known.push(Known { section, name, schema });
        }
        let key = format!("{}.{name}", self.prefix);
        for (layer, table) in &self.tables {
            let Some(value) = table.get(name) else { continue };
            match kind.read(value) {
                Ok(read) => {
                    self.sheet.show(*layer, &value.span(), key.clone());
                    return Some((read, Place { layer: *layer, span: value.span(), key }));
                }
                Err(Wrong { expected, found, span }) => self.sheet.wrong(*layer, &span, &key, &expected, &found),
            }
        }
        None
    }

    fn refuse_unknown_keys(self) {
        for (layer, table) in &self.tables {
            for (key, _) in table.iter() {
                let name: &str = key.get_ref();
                if !self.asked.contains(&name) {
                    let (prefix, name, known) = (self.prefix.clone(), name.to_owned(), self.asked.clone());
                    self.sheet.strays.push(Stray { layer: *layer, span: key.span(), prefix, name, known });
                }
            }
        }
    }
}
