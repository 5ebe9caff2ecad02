//! A wide worker's side of a question: views onto the memory of whoever asks, the plug-in's call, its answer.
//!
//! Called by [`super::child`]. Answers are not checked here: whoever asked does that, as with any plug-in.

use std::collections::HashMap;

use ferrule_abi as abi;

use super::{
    memory::{Layout, Mapped},
    messages::{Ask, Findings, Query, Question},
};
use crate::pipeline::tools::{Tool, Tools, Turn};

/// The memories of narrow workers, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Desk(HashMap<u64, Mapped>);

type Answer = Result<Findings, String>;

impl Desk {
    pub fn remember(&mut self, of: u64, memory: Mapped) {
        self.0.insert(of, memory);
    }

    pub fn forget(&mut self, of: u64) {
        self.0.remove(&of);
    }

    /// One answer a question, in order. Several pictures for one detector go to it in one call.
    pub fn serve(&self, tools: Option<&mut Tools>, asks: &[Ask], turn: &mut Turn<'_>) -> Vec<Answer> {
        let Some(tools) = tools else { return asks.iter().map(|_| Err("no pipeline was loaded".into())).collect() };
        let plugin = asks.first().map(|ask| &ask.question.plugin);
        let same = asks.iter().all(|ask| Some(&ask.question.plugin) == plugin);
        let detecting = asks.iter().all(|ask| matches!(ask.question.query, Query::Detect { .. }));
        if same && detecting && asks.len() > 1 {
            return self.detect_batch(tools, asks, turn);
        }
        asks.iter().map(|ask| self.one(tools, ask, turn)).collect()
    }

    fn one(&self, tools: &mut Tools, ask: &Ask, turn: &mut Turn<'_>) -> Answer {
        let (image, labels) = self.picture(ask)?;
        let tool = tool(tools, &ask.question)?;
        turn(&tool.plugin);
        match &ask.question.query {
            Query::Segment => tool.instance.segment(&image).map(Findings::Segmentation),
            Query::Detect { zones } => tool.instance.detect(&input(image, zones, labels)).map(Findings::Detections),
            Query::Measure { zones, defects } => {
                tool.instance.measure(&input(image, zones, labels), defects).map(Findings::Measurements)
            }
        }
    }

    fn detect_batch(&self, tools: &mut Tools, asks: &[Ask], turn: &mut Turn<'_>) -> Vec<Answer> {
        let pictures: Vec<Result<_, String>> = asks.iter().map(|ask| self.picture(ask)).collect();
        let mut inputs = Vec::with_capacity(asks.len());
        for (ask, picture) in asks.iter().zip(&pictures) {
            if let (Query::Detect { zones }, Ok((image, labels))) = (&ask.question.query, picture) {
                inputs.push(input(*image, zones, labels));
            }
        }
        let tool = match asks.first().map(|ask| tool(tools, &ask.question)) {
            Some(Ok(tool)) => tool,
            Some(Err(reason)) => return asks.iter().map(|_| Err(reason.clone())).collect(),
            None => return Vec::new(),
        };
        turn(&tool.plugin);
        let mut answers = tool.instance.detect_batch(&inputs).into_iter();
        let answer = |picture: Result<_, String>| {
            picture.and_then(|_| {
                answers
                    .next()
                    .unwrap_or_else(|| Err("answered fewer pictures than it was given".into()))
                    .map(Findings::Detections)
            })
        };
        pictures.into_iter().map(answer).collect()
    }

    /// The picture that a question is about, and its labels.
    fn picture(&self, ask: &Ask) -> Result<(abi::ImageView<'_>, &[u8]), String> {
        let Question { width, height, format, um_per_px, pixel_aspect, .. } = ask.question;
        let memory = self.0.get(&ask.memory).ok_or("the picture's memory was never given")?.bytes();
        let layout =
            Layout::of(width, height, format).filter(|layout| layout.labels > 0 && layout.bytes() <= memory.len());
        let layout = layout.ok_or("a picture larger than the memory for it")?;
        let known = |value: Option<f64>| value.map_or(abi::ROption::RNone, abi::ROption::RSome);
        let format = abi::PixelFormat::from(format);
        let image = abi::ImageView {
            pixels: memory[..layout.pixels].into(),
            format,
            width,
            height,
            stride: width * format.bytes() as u32,
            um_per_px: known(um_per_px),
            pixel_aspect: known(pixel_aspect),
        };
        Ok((image, &memory[layout.labels_at..layout.bytes()]))
    }
}

fn tool<'t>(tools: &'t mut Tools, question: &Question) -> Result<&'t mut Tool, String> {
    let slot = match question.query {
        Query::Segment => &mut tools.segment,
        Query::Detect { .. } => &mut tools.detect,
        Query::Measure { .. } => &mut tools.measure,
    };
    let found = slot.iter_mut().find(|tool| tool.plugin == question.plugin);
    found.ok_or_else(|| format!("{} is not loaded in this worker", question.plugin))
}

fn input<'a>(image: abi::ImageView<'a>, zones: &'a [abi::Zone], labels: &'a [u8]) -> abi::DetectInput<'a> {
    abi::DetectInput { image, segmentation: abi::SegmentationView { zones: zones.into(), labels: labels.into() } }
}
