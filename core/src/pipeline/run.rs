//! One picture through one pipeline. Called by [`crate::worker::child`] for each job.

use std::{path::PathBuf, time::Instant};

use ferrule_abi as abi;

use super::{
    artefacts, check, company,
    consensus::{self, Opinion},
    judge::{self, kind, severity, zone_name},
    merge::{Found, Merged, merge},
    tools::{Tool, Tools, Turn},
    zones::{self, Scale},
};
use crate::{
    dataset::fingerprint::Fingerprint,
    decode::{self, Picture, Wanted},
    host::{card::Pixels, loader::Instance},
    ids::{ImageId, PluginId},
    report::{Defect, Failure, Feature, Histogram, Inspection, Missing, Part, Timings, Verdict},
    settings::Consensus,
    worker::{
        arguments::Limits,
        messages::{Answer, Artefacts, Job, Optics, StagedFile},
    },
};

/// What a worker keeps from one picture to the next: buffers that have grown to the size of its pictures.
#[derive(Debug, Default)]
pub struct Bench {
    file: Vec<u8>,
    picture: Picture,
    labels: Vec<u8>,
}

/// Inspects one capture. Always answers.
pub fn inspect(tools: &mut Tools, bench: &mut Bench, limits: &Limits, job: &Job, turn: &mut Turn<'_>) -> Answer {
    let outcome = Pass::begin(tools, bench, limits, job, turn).and_then(|pass| pass.finish(job.staging.as_ref()));
    match outcome {
        Ok(Outcome { inspection, artefacts, spent }) => {
            let cladding = inspection.zones.cladding.filter(|_| job.staging.is_some());
            let picture = &bench.picture;
            let print = |cladding| Fingerprint::of(&picture.gray8, picture.width, picture.height, &cladding);
            Answer { job: job.job, fingerprint: cladding.and_then(print), result: Ok(inspection), artefacts, spent }
        }
        Err(failure) => refused(job, failure),
    }
}

/// The answer to a job that cannot even begin.
#[must_use]
pub fn refused(job: &Job, failure: Failure) -> Answer {
    Answer { job: job.job, result: Err(failure), artefacts: Vec::new(), fingerprint: None, spent: Vec::new() }
}

/// One picture on its way through the slots.
struct Pass<'a> {
    tools: &'a mut Tools,
    picture: &'a Picture,
    labels: &'a mut Vec<u8>,
    turn: &'a mut dyn FnMut(&PluginId),
    without: &'a [PluginId],
    image: ImageId,
    optics: Optics,
    flags: Vec<String>,
    /// How far the segmenters agree.
    agreement: Vec<Feature>,
    incomplete: Vec<Missing>,
    ms: Timings,
    spent: Vec<(PluginId, f64)>,
}

/// What came of a picture.
struct Outcome {
    inspection: Inspection,
    /// The files written.
    artefacts: Vec<StagedFile>,
    spent: Vec<(PluginId, f64)>,
}

impl<'a> Pass<'a> {
    /// Reads and decodes.
    fn begin(
        tools: &'a mut Tools,
        bench: &'a mut Bench,
        limits: &Limits,
        job: &'a Job,
        turn: &'a mut Turn<'_>,
    ) -> Result<Self, Failure> {
        let start = Instant::now();
        let image = decode::read(&job.path, job.expected, limits, &mut bench.file)?;
        let accepted = |format| tools.iter().any(|tool| tool.accepts.contains(&format));
        let wanted = Wanted { gray16: accepted(Pixels::Gray16), rgb8: accepted(Pixels::Rgb8) };
        decode::decode(&bench.file, wanted, limits, &mut bench.picture)?;
        let flags = bench.picture.flags.iter().map(|flag| (*flag).to_owned()).collect();
        Ok(Self {
            tools,
            picture: &bench.picture,
            labels: &mut bench.labels,
            turn,
            without: &job.without,
            image,
            optics: job.optics,
            flags,
            agreement: Vec::new(),
            incomplete: Vec::new(),
            ms: Timings { decode: milliseconds(start), ..Timings::default() },
            spent: Vec::new(),
        })
    }

    fn finish(mut self, staging: Option<&(PathBuf, Artefacts)>) -> Result<Outcome, Failure> {
        let (width, height) = (self.picture.width, self.picture.height);
        let (segmentation, scale, fibre) = self.timed(|ms| &mut ms.segment, Self::segment)?;
        let merged = self.timed(|ms| &mut ms.detect, |pass| pass.defects(&segmentation, &scale));
        let labels = zones::label_map(&segmentation, self.labels);
        let zones: Vec<Option<abi::ZoneName>> =
            merged.iter().map(|merged| zones::innermost(&merged.defect.mask, labels, width)).collect();
        let defects: Vec<Defect> =
            merged.iter().zip(&zones).enumerate().map(|(i, (merged, zone))| self.reported(i, merged, *zone)).collect();
        let (features, histograms) =
            self.timed(|ms| &mut ms.measure, |pass| pass.measure(&segmentation, &scale, &merged));
        let quality = judge::quality(&features, std::mem::take(&mut self.flags));
        let verdict = self.timed(
            |ms| &mut ms.grade,
            |pass| {
                let ids: Vec<String> = defects.iter().map(|defect| defect.id.clone()).collect();
                pass.grade(&segmentation, &scale, &judge::graded(&merged, &zones), &quality.flags, &ids)
            },
        );
        let label = self.tools.pipeline.label;
        let has_defect = judge::has_defect(&merged, &label, fibre, &self.incomplete, &features);
        let artefacts = match staging {
            Some((folder, artefacts)) => self.timed(
                |ms| &mut ms.artefacts,
                |pass| {
                    let (image, labels) = (pass.image, zones::label_map(&segmentation, pass.labels));
                    let content = artefacts::Content { image, width, height, labels, defects: &defects };
                    artefacts::write(folder, artefacts.masks, &content)
                },
            )?,
            None => Vec::new(),
        };
        let inspection = Inspection {
            image_id: self.image,
            width,
            height,
            um_per_px: scale.um_per_px,
            zones: zones::reported(&segmentation),
            defects,
            has_defect,
            quality,
            verdict,
            features,
            histograms,
            incomplete: self.incomplete,
            ms: self.ms,
        };
        Ok(Outcome { inspection, artefacts, spent: self.spent })
    }

    fn timed<T>(&mut self, stage: fn(&mut Timings) -> &mut f64, work: impl FnOnce(&mut Self) -> T) -> T {
        let start = Instant::now();
        let result = work(self);
        *stage(&mut self.ms) += milliseconds(start);
        result
    }

    /// What the segmenters say, by the rule in force; the label map; the scale; whether there is a fibre.
    fn segment(&mut self) -> Result<(abi::Segmentation, Scale, bool), Failure> {
        let confidence = |found: &abi::Segmentation| found.zone(abi::ZoneName::Cladding).map_or(-1.0, |z| z.confidence);
        let min_confidence = self.tools.pipeline.min_confidence;
        let (width, height) = (self.picture.width, self.picture.height);
        let known = Scale { um_per_px: self.optics.um_per_px, pixel_aspect: self.optics.pixel_aspect.unwrap_or(0.0) };
        let consensus = self.tools.pipeline.consensus;
        let mut opinions: Vec<Opinion> = Vec::new();
        let mut tools = std::mem::take(&mut self.tools.segment);
        let before = self.incomplete.len();
        for tool in &mut tools {
            let image = view(self.picture, tool, &known);
            let answer = self.ask(tool, |instance| {
                let answer = instance.segment(&image)?;
                check::segmentation(&answer, width, height).map(|()| answer)
            });
            let Some(answer) = answer else { continue };
            let enough = confidence(&answer) >= min_confidence;
            opinions.push(Opinion { plugin: tool.name.clone(), answer });
            if enough && consensus == Consensus::First {
                break;
            }
        }
        let listed = !tools.is_empty();
        self.tools.segment = tools;
        let surer = |a: Opinion, b: Opinion| if confidence(&b.answer) > confidence(&a.answer) { b } else { a };
        let told = match consensus {
            Consensus::First => opinions.into_iter().reduce(surer).map(|best| (best.answer, Vec::new())),
            Consensus::Agree => consensus::agree(opinions, width, height),
        };
        let (found, agreement) = match told {
            Some(told) => told,
            None if listed => {
                let missing = &self.incomplete[before..];
                let plugin = missing.last().map(|missing| missing.plugin.clone());
                let reasons: Vec<&str> = missing.iter().map(|missing| missing.reason.as_str()).collect();
                let message = format!("no segmenter answered: {}", reasons.join("; "));
                return Err(Failure { stage: "segment".into(), plugin, message, transient: false });
            }
            None => (abi::Segmentation::default(), Vec::new()),
        };
        self.agreement = agreement;
        zones::draw_labels(&found, width, height, self.labels);
        self.flags.extend(judge::flags(&found.attributes));
        let fibre = zones::fibre(&found, min_confidence);
        let scale = zones::scale(&self.optics, &found, fibre);
        let has_fibre = fibre.is_some();
        Ok((found, scale, has_fibre))
    }

    /// What all detectors found, as one list.
    fn defects(&mut self, segmentation: &abi::Segmentation, scale: &Scale) -> Vec<Merged> {
        let mut merged = merge(self.detect(segmentation, scale));
        if let Some(um_per_px) = zones::approximate_scale(scale, segmentation) {
            company::settle(&mut merged, um_per_px);
        }
        merged
    }

    fn detect(&mut self, segmentation: &abi::Segmentation, scale: &Scale) -> Vec<Found> {
        let (width, height) = (self.picture.width, self.picture.height);
        let mut found = Vec::new();
        let mut tools = std::mem::take(&mut self.tools.detect);
        let drawn = std::mem::take(self.labels);
        for (detector, tool) in tools.iter_mut().enumerate() {
            let labels = zones::label_map(segmentation, &drawn);
            let input = input(view(self.picture, tool, scale), segmentation, labels);
            let answer = self.ask(tool, |instance| {
                let mut answer = instance.detect(&input)?;
                check::detections(&mut answer, width, height).map(|()| answer)
            });
            let Some(answer) = answer else { continue };
            self.flags.extend(judge::flags(&answer.attributes));
            found.extend(answer.defects.into_iter().map(|defect| Found { detector, defect }));
        }
        *self.labels = drawn;
        self.tools.detect = tools;
        found
    }

    fn measure(
        &mut self,
        segmentation: &abi::Segmentation,
        scale: &Scale,
        merged: &[Merged],
    ) -> (Vec<Feature>, Vec<Histogram>) {
        let (mut features, mut histograms) = (std::mem::take(&mut self.agreement), Vec::new());
        let defects: Vec<abi::Defect> = merged.iter().map(|merged| merged.defect.clone()).collect();
        let mut tools = std::mem::take(&mut self.tools.measure);
        let drawn = std::mem::take(self.labels);
        for tool in &mut tools {
            let labels = zones::label_map(segmentation, &drawn);
            let input = input(view(self.picture, tool, scale), segmentation, labels);
            let answer = self.ask(tool, |instance| {
                let answer = instance.measure(&input, &defects)?;
                check::measurements(&answer).map(|()| answer)
            });
            let Some(answer) = answer else { continue };
            self.flags.extend(judge::flags(&answer.attributes));
            features.extend(answer.features.into_iter().map(|feature| Feature {
                region: feature.region.into(),
                name: feature.name.into(),
                value: feature.value,
                unit: feature.unit.into(),
                plugin: tool.name.clone(),
            }));
            histograms.extend(answer.histograms.into_iter().map(|histogram| Histogram {
                region: histogram.region.into(),
                name: histogram.name.into(),
                low: histogram.low,
                high: histogram.high,
                counts: histogram.counts.into(),
                plugin: tool.name.clone(),
            }));
        }
        *self.labels = drawn;
        self.tools.measure = tools;
        (features, histograms)
    }

    /// The verdict of the first grader that answers.
    fn grade(
        &mut self,
        segmentation: &abi::Segmentation,
        scale: &Scale,
        defects: &[abi::GradedDefect<'_>],
        flags: &[String],
        ids: &[String],
    ) -> Verdict {
        let flags: Vec<abi::RString> = flags.iter().map(|flag| flag.as_str().into()).collect();
        let size = (self.picture.width, self.picture.height);
        let known = (scale, self.optics.core_um);
        let input = judge::grade_input(size, &segmentation.zones, defects, known, &flags);
        // A grader that errs lets the next one answer; only what came before it can hide a defect.
        let before = self.incomplete.len();
        let mut tools = std::mem::take(&mut self.tools.grade);
        let answer = tools.iter_mut().find_map(|tool| {
            self.ask(tool, |instance| {
                let answer = instance.grade(&input)?;
                check::verdict(&answer, defects.len()).map(|()| answer)
            })
        });
        let listed = !tools.is_empty();
        self.tools.grade = tools;
        match answer {
            Some(answer) => {
                let (detectors, missing) = (self.tools.detect.len(), &self.incomplete[..before]);
                judge::pass_only_if_complete(judge::verdict(&answer, ids), detectors, missing)
            }
            None if listed => judge::not_graded("the grading plug-in did not answer"),
            None => judge::not_graded("no grading plug-in in the pipeline"),
        }
    }

    /// Calls a plug-in, unless this job goes without it. What it cannot answer is missing, and nothing else is.
    fn ask<T>(&mut self, tool: &mut Tool, call: impl FnOnce(&mut dyn Instance) -> Result<T, String>) -> Option<T> {
        let answer = if self.without.contains(&tool.plugin) {
            Err("left out, because it brought workers down on this capture".to_owned())
        } else {
            (self.turn)(&tool.plugin);
            let start = Instant::now();
            let answer = call(&mut *tool.instance);
            self.spent.push((tool.plugin.clone(), milliseconds(start)));
            answer
        };
        answer.map_err(|reason| self.incomplete.push(Missing { plugin: tool.name.clone(), reason })).ok()
    }

    fn reported(&self, place: usize, merged: &Merged, zone: Option<abi::ZoneName>) -> Defect {
        let name = |part: &Found| self.tools.detect[part.detector].name.clone();
        let bbox = |bbox: abi::BoundingBox| [bbox.x, bbox.y, bbox.width, bbox.height];
        let parts = merged.parts.iter().map(|part| Part {
            plugin: name(part),
            kind: kind(part.defect.kind),
            severity: severity(part.defect.severity),
            confidence: part.defect.confidence,
            bbox: bbox(part.defect.bbox),
            area_px: part.defect.area_px,
        });
        let defect = &merged.defect;
        Defect {
            id: format!("{}-{}", self.image, place + 1),
            kind: kind(defect.kind),
            severity: severity(defect.severity),
            confidence: defect.confidence,
            bbox: bbox(defect.bbox),
            x: defect.x,
            y: defect.y,
            area_px: defect.area_px,
            length_px: defect.length_px,
            width_px: defect.width_px,
            angle_deg: defect.angle_deg,
            zone: zone.map(zone_name),
            plugin: merged.parts.first().map(name).unwrap_or_default(),
            parts: parts.collect(),
            mask: defect.mask.iter().map(|run| [run.y, run.x, run.length]).collect(),
        }
    }
}

/// The picture in the format that a plug-in takes: its own where it is accepted, else gray 8-bit.
fn view<'p>(picture: &'p Picture, tool: &Tool, scale: &Scale) -> abi::ImageView<'p> {
    let native = picture.native.as_ref().filter(|native| tool.accepts.contains(&native.format));
    let (format, bytes) = match native {
        Some(native) => match native.format {
            Pixels::Gray8 => (abi::PixelFormat::Gray8, &native.bytes),
            Pixels::Gray16 => (abi::PixelFormat::Gray16, &native.bytes),
            Pixels::Rgb8 => (abi::PixelFormat::Rgb8, &native.bytes),
        },
        None => (abi::PixelFormat::Gray8, &picture.gray8),
    };
    let known = |value: f64| if value > 0.0 { abi::ROption::RSome(value) } else { abi::ROption::RNone };
    abi::ImageView {
        pixels: bytes.as_slice().into(),
        format,
        width: picture.width,
        height: picture.height,
        stride: picture.width * format.bytes() as u32,
        um_per_px: scale.um_per_px.map_or(abi::ROption::RNone, known),
        pixel_aspect: known(scale.pixel_aspect),
    }
}

fn input<'a>(image: abi::ImageView<'a>, segmentation: &'a abi::Segmentation, labels: &'a [u8]) -> abi::DetectInput<'a> {
    let zones = segmentation.zones.as_slice().into();
    abi::DetectInput { image, segmentation: abi::SegmentationView { zones, labels: labels.into() } }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
