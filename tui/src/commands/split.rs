//! `ferrule split`: how a dataset is divided, and with `--show` why. Reads only; sides are given by builds and engines.

use clap::Args;
use ferrule_core::{
    dataset::split::{Division, Group, Side},
    names,
    store::{Reader, SplitTable},
};
use serde_json::json;

use crate::{failure::Failure, output::Output, place::DatasetPlace};

/// Show how a dataset is divided into train, val and test
#[derive(Debug, Args)]
pub struct Split {
    /// Explain every group that stays together, and every exception
    #[arg(long)]
    show: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    dataset: DatasetPlace,
}

impl Split {
    pub fn run(self) -> Result<(), Failure> {
        let reader = self.dataset.reader()?;
        let table = reader.split_table().map_err(Failure::failed)?;
        let Some(settings) = reader.split_settings().map_err(Failure::failed)? else {
            return Err(Failure::failed("no splits were made yet")
                .hint("an engine makes them when it is idle, `ferrule build` at its end"));
        };
        let division = reader.division(&settings).map_err(Failure::failed)?;
        let mut output = Output::new();
        if self.json {
            let fractions = json!({"train": settings.fractions.train, "val": settings.fractions.val,
                "test": settings.fractions.test()});
            output.object(&json!({
                "fractions": fractions, "seed": settings.seed, "group_by": settings.group_by, "images": table,
                "groups": if self.show { groups(&reader, &division)? } else { Vec::new() }, "notes": division.notes,
            }))?;
            return output.flush();
        }
        let group_by = settings.group_by.as_deref().map_or_else(|| "none".into(), names::visible);
        output.line(&format!(
            "fractions {:.2}/{:.2}/{:.2}, seed {}, groups by {group_by}",
            settings.fractions.train,
            settings.fractions.val,
            settings.fractions.test(),
            settings.seed
        ))?;
        for line in lines(&table) {
            output.line(&line)?;
        }
        for note in &division.notes {
            output.line(&format!("note: {}", names::visible(note)))?;
        }
        if self.show {
            for group in &division.groups {
                output.line(&title(group))?;
                for image in &group.images {
                    output.line(&member(&reader, *image)?)?;
                }
            }
        }
        output.flush()
    }
}

fn lines(table: &SplitTable) -> Vec<String> {
    let mut lines = vec![format!("{:<12} {:>8} {:>8} {:>8}", "", "clean", "defect", "images")];
    for side in Side::ALL {
        let [clean, defect] = table.sides[side as usize];
        lines.push(format!("{side:<12} {clean:>8} {defect:>8} {:>8}", clean + defect));
    }
    let without = [
        ("no picture", table.no_picture),
        ("no fibre", table.no_fibre),
        ("incomplete", table.incomplete),
        ("no label", table.no_label),
        ("not yet", table.open),
    ];
    lines.extend(
        without
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(why, count)| format!("{why:<12} {:>8} {:>8} {count:>8}", "", "")),
    );
    lines
}

fn title(group: &Group) -> String {
    let mut why = group.keys.clone();
    if group.near {
        why.push("near-duplicates".into());
    }
    let side = group.side.map_or("on no side", Side::as_str);
    let torn: Vec<&str> = group.torn.iter().map(|side| side.as_str()).collect();
    let torn = if torn.is_empty() { String::new() } else { format!(", TORN: members were on {}", torn.join(" and ")) };
    format!("{side}: {} images, {}{torn}", group.images.len(), names::visible(&why.join("; ")))
}

fn member(reader: &Reader, image: ferrule_core::ids::ImageId) -> Result<String, Failure> {
    let name = reader.image_name(image).map_err(Failure::failed)?.unwrap_or_default();
    let near = reader.near(image).map_err(Failure::failed)?;
    let near = match near {
        Some((first, residual)) => {
            let first = reader.image_name(first).map_err(Failure::failed)?.unwrap_or_default();
            format!("  near-duplicate of {first}, {:.0} % of its detail differ", residual * 100.0)
        }
        None => String::new(),
    };
    Ok(format!("  {image} {name}{near}"))
}

fn groups(reader: &Reader, division: &Division) -> Result<Vec<serde_json::Value>, Failure> {
    let group = |group: &Group| -> Result<serde_json::Value, Failure> {
        let mut images = Vec::new();
        for image in &group.images {
            let near = reader.near(*image).map_err(Failure::failed)?;
            images.push(json!({
                "image_id": image, "filename": reader.image_name(*image).map_err(Failure::failed)?,
                "near_of": near.map(|(first, _)| first), "residual": near.map(|(_, residual)| residual),
            }));
        }
        Ok(json!({"side": group.side, "keys": group.keys, "near": group.near, "torn": group.torn, "images": images}))
    };
    division.groups.iter().map(group).collect()
}
