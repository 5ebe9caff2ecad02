//! The JSON schema of `ferrule.toml`, for editors. Made from the keys that are read and from the comments of the shipped
//! file; `config/ferrule.schema.json` is its stored form, which a test compares.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::{ConfigurationError, SHIPPED, sheet};

/// The schema, in JSON Schema 2020-12.
///
/// # Errors
/// Never for the file that ships; a test reads it.
pub fn schema() -> Result<Json, ConfigurationError> {
    let (_, known) = sheet::read(None, Path::new("/"))?;
    let mut sections: Map<String, Json> = Map::new();
    for key in known {
        let (section, within) = key.section.split_once('.').unwrap_or((key.section, ""));
        let mut entry = sections.entry(section).or_insert_with(|| object(""));
        if !within.is_empty() {
            entry = &mut entry["properties"][within];
            if entry.is_null() {
                *entry = object("");
            }
        }
        let mut schema = key.schema;
        schema["description"] = why(key.section, key.name).into();
        entry["properties"][key.name] = schema;
    }
    if let Some(source) = sections.get_mut("capture") {
        source["required"] = json!(["path"]);
        *source = json!({"type": "array", "description": "Directories that microscopes write into.", "items": source});
    }
    if let Some(rule) = sections.get_mut("alarm") {
        rule["required"] = json!(["kind"]);
        *rule = json!({"type": "array", "description": "Rules that ring.", "items": rule});
    }
    let parameters = json!({"type": "object", "additionalProperties": {"type": ["boolean", "number", "string"]}});
    let description = "Parameters that differ from a plug-in's own defaults, by its id.";
    sections.insert(
        "plugin".into(),
        json!({"type": "object", "description": description, "additionalProperties": parameters}),
    );
    let list = json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true});
    let description = "Keys of the workbench by the name of what they do.";
    sections.insert("keys".into(), json!({"type": "object", "description": description, "additionalProperties": list}));
    let mut root = object("Settings of a Ferrule workspace.");
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    root["title"] = "ferrule.toml".into();
    root["properties"] = Json::Object(sections);
    Ok(root)
}

fn object(description: &str) -> Json {
    let mut object = json!({"type": "object", "additionalProperties": false, "properties": {}});
    if !description.is_empty() {
        object["description"] = description.into();
    }
    object
}

/// The comment above a key of the shipped file.
pub(super) fn why(section: &str, key: &str) -> String {
    let mut here = false;
    let mut comment: Vec<&str> = Vec::new();
    for line in SHIPPED.lines() {
        let header = line.trim_matches(['[', ']']);
        if line.starts_with('[') {
            here = header == section;
        }
        match line.strip_prefix('#') {
            Some(text) => comment.push(text.trim()),
            None if here && line.split('=').next().map(str::trim) == Some(key) => return comment.join(" "),
            None => comment.clear(),
        }
    }
    String::new()
}
