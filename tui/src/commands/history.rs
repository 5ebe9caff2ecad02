//! `ferrule history IMAGE`: which builds judged an image, when, and what each pipeline made of it.

use std::{fs, path::PathBuf};

use clap::Args;
use ferrule_core::{
    ids::ImageId,
    store::{Judge, Judgement, Reader, StoreError},
};
use serde_json::json;

use crate::{failure::Failure, output::Output, place::Place};

/// Show which builds of which plug-ins judged an image, and what came of it
#[derive(Debug, Args)]
pub struct History {
    /// An image's id, its name in the dataset, or a file with its content
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    #[command(flatten)]
    place: Place,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl History {
    pub fn run(self) -> Result<(), Failure> {
        let (_, dataset) = self.place.dataset()?;
        let reader = Reader::open(&dataset).map_err(|error| match error {
            StoreError::Missing { .. } => Failure::wrong("nothing has been inspected in this workspace yet")
                .hint("start the engine with `ferrule`, and give it a capture"),
            error => Failure::wrong(error),
        })?;
        let image = self.image(&reader)?;
        let judgements = reader.judgements(image).map_err(Failure::failed)?;
        if judgements.is_empty() {
            return Err(Failure::wrong(format!("image {image} has not been inspected in this workspace")));
        }
        let mut output = Output::new();
        if !self.json {
            let name = reader.image_name(image).map_err(Failure::failed)?;
            output.line(&format!("image {image}  {}", name.unwrap_or_else(|| "not in the dataset".into())))?;
        }
        for judgement in &judgements {
            if self.json {
                output.object(&json!({"image": image, "inspection": judgement}))?;
            } else {
                for line in lines(judgement) {
                    output.line(&line)?;
                }
            }
        }
        output.flush()
    }

    fn image(&self, reader: &Reader) -> Result<ImageId, Failure> {
        let text = self.image.to_string_lossy();
        if let Some(image) = reader.image_named(&text).map_err(Failure::failed)? {
            return Ok(image);
        }
        if let Ok(bytes) = fs::read(&self.image) {
            return Ok(ImageId::of(&bytes));
        }
        text.parse().map_err(|_| {
            Failure::wrong(format!("{text} is no image id, no name in the dataset, and no file that can be read"))
                .hint("the Captures screen and `SELECT image_id, filename FROM images` have both")
        })
    }
}

fn lines(judgement: &Judgement) -> Vec<String> {
    let Judgement { at, generation, pipeline, has_defect, defects, verdict, incomplete, failure, current, .. } =
        judgement;
    let mark = if *current { "  (current)" } else { "" };
    let mut lines = vec![format!("{at}  generation {generation}, pipeline {pipeline}{mark}")];
    lines.push(match failure {
        Some(reason) => format!("  failed: {reason}"),
        None => {
            let found = match has_defect {
                Some(true) => "defect",
                Some(false) => "clean",
                None => "no label",
            };
            let verdict = verdict.as_deref().unwrap_or("not graded");
            format!("  {found}, {} defects found, {verdict}", defects.unwrap_or(0))
        }
    });
    lines.extend(incomplete.iter().map(|missing| format!("  without {}: {}", missing.plugin, missing.reason)));
    lines.extend(judgement.judges.iter().map(line));
    lines
}

fn line(judge: &Judge) -> String {
    let Judge { slot, plugin, version, build, parameters } = judge;
    let set = match parameters.as_object().filter(|set| !set.is_empty()) {
        Some(set) => {
            let set: Vec<String> = set.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            format!("  with {}", set.join(", "))
        }
        None => String::new(),
    };
    format!("    {slot:<8} {plugin} {version}  build {build}{set}")
}
