//! The sections, key by key. A key exists by being read here, and its kind says what it takes.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::{
    alarms,
    kind::{
        ARGUMENT, BUILD, EXTENSION, Flag, Kind, LINE, List, Number, OrNone, PATH, PATTERN, PLUGIN, Parameter, Whole,
        Word, Words, Wrong, describe,
    },
    sheet::{Section, Sheet},
    sources,
};
use crate::{
    ids::PluginId,
    report::Severity,
    settings::{
        Capture, ChartMarks, Consensus, Dataset, Fractions, ImageLinks, Keep, KeysByAction, Log, MaskFormat,
        PictureProtocol, Plugins, Protect, Screen, Settings, Severities, Slots, Split, ThemeName, Trust, Workers,
    },
    worker::messages::ParameterValue,
};

const ONE_HOUR_MS: u32 = 3_600_000;

/// `None` only where the shipped text lacks a key; mistakes are in the sheet.
pub(super) fn read(sheet: &mut Sheet<'_>) -> Option<Settings> {
    let sources = sources::read(sheet);
    let capture = sheet.section("intake", intake);
    let pipeline = sheet.section("pipeline", pipeline);
    let parameters = parameters(sheet);
    let plugins = sheet.section("plugins", plugins);
    let workers = sheet.section("workers", workers);
    let label = sheet.section("label", label);
    let dataset = sheet.section("dataset", dataset);
    let screen = sheet.section("screen", screen);
    let keys = keys(sheet);
    let alarms = alarms::read(sheet, &sources);
    let log = sheet.section("log", log);
    let settings = Settings {
        root: sheet.root.to_owned(),
        sources: sources.iter().map(|found| found.source.clone()).collect(),
        capture: capture?,
        pipeline: pipeline?,
        parameters,
        plugins: plugins?,
        workers: workers?,
        label: label?,
        dataset: dataset?,
        screen: screen?,
        keys,
        alarms,
        log: log?,
    };
    sources::refuse_captures_in_dataset(sheet, &sources, &settings.dataset.path);
    Some(settings)
}

fn intake(section: &mut Section<'_, '_>) -> Option<Capture> {
    Some(Capture {
        extensions: section.take("extensions", &List(EXTENSION))?,
        settle_ms: section.take("settle_ms", &Whole(10, ONE_HOUR_MS))?.into(),
        reconcile_ms: section.take("reconcile_ms", &Whole(100, ONE_HOUR_MS))?.into(),
        decode_retries: section.take("decode_retries", &Whole(0, 100))?,
    })
}

fn pipeline(section: &mut Section<'_, '_>) -> Option<Slots> {
    const CONSENSUS: Word<Consensus> =
        Word(&[(Consensus::First.as_str(), Consensus::First), (Consensus::Agree.as_str(), Consensus::Agree)]);
    Some(Slots {
        segment: section.take("segment", &List(PLUGIN))?,
        detect: section.take("detect", &List(PLUGIN))?,
        measure: section.take("measure", &List(PLUGIN))?,
        grade: section.take("grade", &List(PLUGIN))?,
        consensus: section.take("consensus", &CONSENSUS)?,
        min_confidence: section.take("min_confidence", &Number(0.0, 1.0))?,
    })
}

fn plugins(section: &mut Section<'_, '_>) -> Option<Plugins> {
    Some(Plugins {
        trust: section.take("trust", &Word(&[("owner", Trust::Owner), ("pinned", Trust::Pinned)]))?,
        pinned: section.take("pinned", &List(BUILD))?,
        python: section.take("python", &LINE)?,
        settle_ms: section.take("settle_ms", &Whole(10, ONE_HOUR_MS))?.into(),
        quarantine_after: section.take("quarantine_after", &Whole(1, 1000))?,
    })
}

fn workers(section: &mut Section<'_, '_>) -> Option<Workers> {
    Some(Workers {
        count: section.take("count", &Whole(0, 256))? as usize,
        memory_mb: section.take("memory_mb", &Whole(64, 1_048_576))?.into(),
        deadline_ms: section.take("deadline_ms", &Whole(100, ONE_HOUR_MS))?.into(),
        deadline_ms_per_mpx: section.take("deadline_ms_per_mpx", &Whole(0, ONE_HOUR_MS))?.into(),
        wide_memory_mb: section.take("wide_memory_mb", &Whole(64, 1_048_576))?.into(),
        wide_deadline_ms: section.take("wide_deadline_ms", &Whole(100, ONE_HOUR_MS))?.into(),
        max_megapixels: section.take("max_megapixels", &Number(0.01, 10_000.0))?,
        max_file_mb: section.take("max_file_mb", &Whole(1, 65_536))?.into(),
    })
}

fn label(section: &mut Section<'_, '_>) -> Option<Severities> {
    const SEVERITIES: Word<Severity> = Word(&[
        (Severity::Negligible.as_str(), Severity::Negligible),
        (Severity::Low.as_str(), Severity::Low),
        (Severity::Medium.as_str(), Severity::Medium),
        (Severity::High.as_str(), Severity::High),
        (Severity::Critical.as_str(), Severity::Critical),
    ]);
    Some(Severities {
        min_confidence: section.take("min_confidence", &Number(0.0, 1.0))?,
        min_severity: section.take("min_severity", &SEVERITIES)?,
    })
}

fn dataset(section: &mut Section<'_, '_>) -> Option<Dataset> {
    const LINKS: Word<ImageLinks> =
        Word(&[("copy", ImageLinks::Copy), ("hardlink", ImageLinks::Hardlink), ("symlink", ImageLinks::Symlink)]);
    const MASKS: Word<MaskFormat> = Word(&[
        ("png", MaskFormat::Png),
        ("npy", MaskFormat::Npy),
        ("both", MaskFormat::Both),
        ("none", MaskFormat::None),
    ]);
    let path = section.take("path", &PATH)?;
    let train = section.take("train", &Number(0.0, 1.0));
    let val = section.take_with_place("val", &Number(0.0, 1.0));
    let seed = section.take("seed", &Whole(0, u32::MAX));
    let group_by = section.take("group_by", &OrNone(PATTERN));
    let (train, (val, place)) = (train?, val?);
    let Some(fractions) = Fractions::checked(train, val) else {
        let found = format!("{train} + {val}");
        section.sheet.wrong(place.layer, &place.span, &place.key, "dataset.train + dataset.val of at most 1", &found);
        return None;
    };
    Some(Dataset {
        path: section.sheet.root.join(path),
        images: section.take("images", &LINKS)?,
        masks: section.take("masks", &MASKS)?,
        min_free_mb: section.take("min_free_mb", &Whole(0, u32::MAX))?.into(),
        split: Split { fractions, seed: seed?.into(), group_by: group_by? },
        keep: section.table("keep", "dataset.keep", keep)?,
    })
}

fn keep(section: &mut Section<'_, '_>) -> Option<Keep> {
    const PROTECT: Word<Protect> =
        Word(&[("dataset", Protect::Dataset), ("reviewed", Protect::Reviewed), ("nothing", Protect::Nothing)]);
    let any = Whole(0, u32::MAX);
    Some(Keep {
        every_hours: section.take("every_hours", &Whole(0, 24 * 365))?,
        protect: section.take("protect", &PROTECT)?,
        former: section.take("former", &any)?,
        former_days: section.take("former_days", &Whole(0, 36_500))?,
        masks_days: section.take("masks_days", &Whole(0, 36_500))?,
        masks_mb: section.take("masks_mb", &any)?,
        pictures_days: section.take("pictures_days", &Whole(0, 36_500))?,
        pictures_mb: section.take("pictures_mb", &any)?,
    })
}

fn screen(section: &mut Section<'_, '_>) -> Option<Screen> {
    const PICTURES: Word<PictureProtocol> = Word(&[
        ("auto", PictureProtocol::Auto),
        ("kitty", PictureProtocol::Kitty),
        ("sixel", PictureProtocol::Sixel),
        ("iterm", PictureProtocol::Iterm),
        ("halfblocks", PictureProtocol::Halfblocks),
        ("outline", PictureProtocol::Outline),
    ]);
    const THEMES: Word<ThemeName> = Word(&[
        ("auto", ThemeName::Auto),
        ("light", ThemeName::Light),
        ("dark", ThemeName::Dark),
        ("16", ThemeName::Sixteen),
        ("contrast", ThemeName::Contrast),
    ]);
    const MARKS: Word<ChartMarks> = Word(&[
        ("auto", ChartMarks::Auto),
        ("braille", ChartMarks::Braille),
        ("blocks", ChartMarks::Blocks),
        ("dots", ChartMarks::Dots),
    ]);
    Some(Screen {
        picture: section.take("picture", &PICTURES)?,
        theme: section.take("theme", &THEMES)?,
        chart: section.take("chart", &MARKS)?,
        mouse: section.take("mouse", &Flag)?,
        open: section.take("open", &Words(ARGUMENT))?,
    })
}

fn log(section: &mut Section<'_, '_>) -> Option<Log> {
    const LEVELS: Word<&str> =
        Word(&[("error", "error"), ("warn", "warn"), ("info", "info"), ("debug", "debug"), ("trace", "trace")]);
    Some(Log {
        level: section.take("level", &LEVELS)?.to_owned(),
        max_mb: section.take("max_mb", &Whole(1, 10_000))?.into(),
    })
}

/// `[keys]`: here any name goes; the workbench knows what it can do, and tells of a name that it does not know.
fn keys(sheet: &mut Sheet<'_>) -> KeysByAction {
    let mut keys = KeysByAction::new();
    let Some(value) = sheet.layers[0].table.get("keys") else { return keys };
    let DeValue::Table(table) = value.get_ref() else {
        sheet.wrong(0, &value.span(), "keys", "a table, [keys]", &describe(value.get_ref()));
        return keys;
    };
    for (name, value) in table {
        let key = format!("keys.{}", name.get_ref());
        match List(LINE).read(value) {
            Ok(read) => {
                sheet.show(0, &value.span(), key);
                keys.insert(name.get_ref().to_string(), read);
            }
            Err(Wrong { expected, found, span }) => sheet.wrong(0, &span, &key, &expected, &found),
        }
    }
    keys
}

/// `[plugin.<id>]`: here any name goes; plug-ins know their own parameters, and they are not known yet.
fn parameters(sheet: &mut Sheet<'_>) -> BTreeMap<PluginId, BTreeMap<String, ParameterValue>> {
    let mut parameters = BTreeMap::new();
    let Some(value) = sheet.layers[0].table.get("plugin") else { return parameters };
    let DeValue::Table(plugins) = value.get_ref() else {
        sheet.wrong(0, &value.span(), "plugin", "a table for each plug-in, [plugin.<id>]", &describe(value.get_ref()));
        return parameters;
    };
    for (id, table) in plugins {
        let key = format!("plugin.{}", id.get_ref());
        let Ok(plugin) = id.get_ref().parse::<PluginId>() else {
            sheet.wrong(0, &id.span(), &key, &PLUGIN.expected(), &format!("{:?}", id.get_ref()));
            continue;
        };
        let DeValue::Table(table) = table.get_ref() else {
            sheet.wrong(0, &table.span(), &key, &format!("a table, [{key}]"), &describe(table.get_ref()));
            continue;
        };
        let given: &mut BTreeMap<_, _> = parameters.entry(plugin).or_default();
        for (name, value) in table {
            let key = format!("{key}.{}", name.get_ref());
            match Parameter.read(value) {
                Ok(read) => {
                    sheet.show(0, &value.span(), key);
                    given.insert(name.get_ref().to_string(), read);
                }
                Err(Wrong { expected, found, span }) => sheet.wrong(0, &span, &key, &expected, &found),
            }
        }
    }
    parameters
}
