//! `[[capture]]`: the watched directories. A file that lists any replaces the shipped one; each entry is laid over the
//! shipped entry, so that it needs only a path.

use std::path::Path;

use toml::de::DeTable;

use super::{
    kind::{Fibre, Flag, Kind, LINE, Number, OrNone, PATH, PATTERN},
    sheet::{Place, Section, Sheet},
};
use crate::settings::Source;

/// A source, and the line that named its path.
pub(super) struct Found {
    pub source: Source,
    place: Place,
}

pub(super) fn read(sheet: &mut Sheet<'_>) -> Vec<Found> {
    let entries = sheet.list("capture");
    let shipped = sheet.layers.len() - 1;
    let defaults = sheet.shipped_list("capture").into_iter().next();

    let mut found: Vec<Found> = Vec::new();
    for (number, (layer, table, span)) in entries.into_iter().enumerate() {
        let prefix = format!("capture[{}]", number + 1);
        if !table.contains_key("path") {
            sheet.wrong(layer, &span, &format!("{prefix}.path"), &PATH.expected(), "nothing");
            continue;
        }
        let mut tables: Vec<(usize, &DeTable<'_>)> = vec![(layer, table)];
        if layer != shipped {
            tables.extend(defaults.map(|defaults| (shipped, defaults)));
        }
        if let Some(next) = sheet.read_section("capture", prefix, tables, |section| source(section, &found)) {
            found.push(next);
        }
    }
    found
}

fn source(section: &mut Section<'_, '_>, earlier: &[Found]) -> Option<Found> {
    let (path, place) = section.take_with_place("path", &PATH)?;
    let path = section.sheet.root.join(path);
    let (name, name_place) = section.take_with_place("name", &OrNone(LINE))?;
    let name = name.unwrap_or_else(|| match path.file_name() {
        Some(last) => last.to_string_lossy().into_owned(),
        None => path.to_string_lossy().into_owned(),
    });
    if let Some(same) = earlier.iter().find(|found| found.source.path == path) {
        let found = format!("the path of {:?} again", same.source.name);
        section.sheet.wrong(place.layer, &place.span, &place.key, "each directory once", &found);
    } else if earlier.iter().any(|found| found.source.name == name) {
        // A name made from the path has no line of its own.
        let at = if name_place.layer == place.layer { &name_place } else { &place };
        let expected = "a name of its own for each source (set `name`)";
        section.sheet.wrong(at.layer, &at.span, &name_place.key, expected, &format!("{name:?} again"));
    }
    let diameter = OrNone(Number(1.0, 3000.0));
    let fibre = section.take("fibre", &OrNone(Fibre))?;
    let source = Source {
        name,
        path,
        recursive: section.take("recursive", &Flag)?,
        core_um: section.take("core_um", &diameter)?.or(fibre.map(|fibre| fibre.core_um)),
        cladding_um: section.take("cladding_um", &diameter)?.or(fibre.map(|fibre| fibre.cladding_um)),
        fibre: fibre.map(|fibre| fibre.name.clone()),
        pixel_aspect: section.take("pixel_aspect", &OrNone(Number(0.25, 4.0)))?,
        um_per_px: section.take("um_per_px", &OrNone(Number(0.001, 100.0)))?,
        poll: section.take("poll", &Flag)?,
        name_pattern: section.take("name_pattern", &OrNone(PATTERN))?,
    };
    Some(Found { source, place })
}

/// A source that sees the dataset would take its own results for captures, for ever.
pub(super) fn refuse_captures_in_dataset(sheet: &mut Sheet<'_>, sources: &[Found], dataset: &Path) {
    for Found { source, place } in sources {
        let seen = if source.recursive { dataset.starts_with(&source.path) } else { dataset == source.path };
        if seen || source.path.starts_with(dataset) {
            let expected = format!("a directory apart from the dataset ({})", dataset.display());
            let found = source.path.display().to_string();
            sheet.wrong(place.layer, &place.span, &place.key, &expected, &found);
        }
    }
}
