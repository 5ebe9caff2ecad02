//! A wide plug-in as a narrow worker sees it: the picture goes into memory that both share, the question to the engine,
//! and the answer comes back over the same line. While it waits, this worker does nothing.

use std::{cell::RefCell, process, rc::Rc};

use ferrule_abi as abi;

use crate::{
    host::{card::Pixels, loader::Instance},
    ids::PluginId,
    worker::{
        frames::{MAX_ANSWER, read_frame, write_frame},
        line::Line,
        memory::{Layout, Mapped},
        messages::{Findings, FromWorker, Query, Question, ToWorker},
    },
};

/// Where a narrow worker asks: its line, and the memory for its pictures.
pub struct Office {
    line: Rc<RefCell<Line>>,
    memory: Mapped,
    asked: u64,
}

impl Office {
    #[must_use]
    pub fn new(line: Rc<RefCell<Line>>, memory: Mapped) -> Self {
        Self { line, memory, asked: 0 }
    }

    fn ask(
        &mut self,
        plugin: &PluginId,
        image: &abi::ImageView<'_>,
        labels: &[u8],
        query: Query,
    ) -> Result<Findings, String> {
        let format = Pixels::from(image.format);
        self.lay_out(image, format, labels)?;
        self.asked += 1;
        let question = Question {
            number: self.asked,
            plugin: plugin.clone(),
            width: image.width,
            height: image.height,
            format,
            um_per_px: image.um_per_px.into_option(),
            pixel_aspect: image.pixel_aspect.into_option(),
            query,
        };
        let mut line = self.line.borrow_mut();
        let sent = write_frame(&mut *line, &FromWorker::Ask(Box::new(question)));
        match sent.and_then(|()| read_frame(&mut *line, MAX_ANSWER)) {
            Ok(ToWorker::Reply(reply)) if reply.number == self.asked => reply.findings,
            // The engine is gone, or has lost its mind; either way nobody waits for this capture.
            _ => process::exit(1),
        }
    }

    fn lay_out(&mut self, image: &abi::ImageView<'_>, format: Pixels, labels: &[u8]) -> Result<(), String> {
        let memory = self.memory.bytes_mut().ok_or("the memory for pictures cannot be written")?;
        let layout = Layout::of(image.width, image.height, format).filter(|layout| layout.bytes() <= memory.len());
        let layout = layout.ok_or("the picture is larger than the memory for it")?;
        let wide = image.width as usize * format.bytes();
        for (y, row) in memory[..layout.pixels].chunks_exact_mut(wide).enumerate() {
            row.copy_from_slice(&image.row(y as u32)[..wide]);
        }
        let room = &mut memory[layout.labels_at..layout.bytes()];
        if labels.len() == room.len() {
            room.copy_from_slice(labels);
        } else {
            room.fill(abi::LABEL_NONE);
        }
        Ok(())
    }
}

/// One wide plug-in.
pub struct Remote {
    plugin: PluginId,
    office: Rc<RefCell<Office>>,
}

impl Remote {
    #[must_use]
    pub fn new(plugin: PluginId, office: Rc<RefCell<Office>>) -> Self {
        Self { plugin, office }
    }

    fn ask_about(&self, input: &abi::DetectInput<'_>, query: Query) -> Result<Findings, String> {
        self.office.borrow_mut().ask(&self.plugin, &input.image, input.segmentation.labels.as_slice(), query)
    }
}

const OTHER: &str = "the wide worker answered another question";

impl Instance for Remote {
    fn segment(&mut self, image: &abi::ImageView<'_>) -> Result<abi::Segmentation, String> {
        match self.office.borrow_mut().ask(&self.plugin, image, &[], Query::Segment)? {
            Findings::Segmentation(found) => Ok(found),
            _ => Err(OTHER.into()),
        }
    }

    fn detect(&mut self, input: &abi::DetectInput<'_>) -> Result<abi::Detections, String> {
        let zones = input.segmentation.zones.to_vec();
        match self.ask_about(input, Query::Detect { zones })? {
            Findings::Detections(found) => Ok(found),
            _ => Err(OTHER.into()),
        }
    }

    fn measure(&mut self, input: &abi::DetectInput<'_>, defects: &[abi::Defect]) -> Result<abi::Measurements, String> {
        let zones = input.segmentation.zones.to_vec();
        match self.ask_about(input, Query::Measure { zones, defects: defects.to_vec() })? {
            Findings::Measurements(found) => Ok(found),
            _ => Err(OTHER.into()),
        }
    }

    fn grade(&mut self, _: &abi::GradeInput<'_>) -> Result<abi::Verdict, String> {
        Err("a grader cannot work in a wide worker".into())
    }
}
