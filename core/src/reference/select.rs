//! Which captures a reference is learnt from: those with a fibre of the same kind as the others, each picture once.

use std::path::PathBuf;

use ferrule_vision::{ellipse::Ellipse, reference::learn::MOST};

use super::{LeftOut, ReferenceError};
use crate::{
    ids::ImageId,
    inspect::Answered,
    names,
    report::{Inspection, Outline},
    settings::Source,
};

/// Ratios of core to cladding that differ more, relative to the usual one, are of another kind of fibre.
const SAME_KIND: f64 = 0.2;
/// From this share on, and from two on, they are no stray fits but another kind.
const MIXED: f64 = 0.2;
/// A core below this confidence is none.
const SURE: f64 = 0.5;

/// A capture that may be learnt from.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub path: PathBuf,
    pub image_id: ImageId,
    pub width: u32,
    pub height: u32,
    pub cladding: Ellipse,
    pub core: Option<Ellipse>,
    /// The fibre type that the capture's source names.
    pub fibre: Option<String>,
}

impl Candidate {
    fn ratio(&self) -> Option<f64> {
        self.core.map(|core| core.mean_radius() / self.cladding.mean_radius())
    }

    pub fn name(&self) -> String {
        name(&self.path)
    }

    pub fn left_out(&self, reason: impl Into<String>) -> LeftOut {
        LeftOut { name: self.name(), image_id: Some(self.image_id.to_string()), reason: reason.into() }
    }
}

/// What speaks for or against each answer, one after the other.
#[derive(Debug)]
pub(super) struct Selection {
    pub clean_only: bool,
    pub min_confidence: f64,
    pub sources: Vec<Source>,
    pub candidates: Vec<Candidate>,
    pub left_out: Vec<LeftOut>,
}

impl Selection {
    pub fn take(&mut self, answer: &Answered) {
        match self.judge(answer) {
            Ok(candidate) => self.candidates.push(candidate),
            Err(reason) => {
                let image_id = answer.image_id.map(|id| id.to_string());
                self.left_out.push(LeftOut { name: name(&answer.path), image_id, reason });
            }
        }
    }

    fn judge(&self, answer: &Answered) -> Result<Candidate, String> {
        let inspection = answer.result.as_ref().map_err(ToString::to_string)?;
        let sure = |outline: &&Outline| outline.confidence >= self.min_confidence;
        let cladding = inspection.zones.cladding.as_ref().filter(sure).ok_or("no fibre found")?;
        if self.clean_only && inspection.has_defect != Some(false) {
            return Err(dirt(inspection));
        }
        if let Some(same) = self.candidates.iter().find(|other| other.image_id == inspection.image_id) {
            return Err(format!("the same picture as {}", same.name()));
        }
        if self.candidates.len() >= MOST {
            return Err(format!("there are {MOST} already, which is enough"));
        }
        let path = std::path::absolute(&answer.path).map_err(|error| error.to_string())?;
        let around = self.sources.iter().filter(|source| path.starts_with(&source.path));
        let source = around.max_by_key(|source| source.path.components().count());
        let core = inspection.zones.core.as_ref().filter(|core| core.confidence >= SURE);
        Ok(Candidate {
            path: answer.path.clone(),
            image_id: inspection.image_id,
            width: inspection.width,
            height: inspection.height,
            cladding: cladding.into(),
            core: core.map(Into::into),
            fibre: source.and_then(|source| source.fibre.clone()),
        })
    }

    /// Leaves those of one kind, and gives the core's usual radius in cladding radii.
    ///
    /// # Errors
    /// There are several kinds.
    pub fn of_one_kind(&mut self) -> Result<Option<f64>, ReferenceError> {
        let mixed = |one: &Candidate, other: &Candidate| {
            let about = |it: &Candidate| match (&it.fibre, it.ratio()) {
                (Some(fibre), _) if one.fibre != other.fibre => format!("{} ({fibre})", it.name()),
                (_, Some(ratio)) => format!("{} (core {ratio:.2} of the cladding)", it.name()),
                _ => it.name(),
            };
            ReferenceError::Mixed { one: about(one), other: about(other) }
        };
        let mut named = self.candidates.iter().filter(|candidate| candidate.fibre.is_some());
        if let Some(first) = named.next()
            && let Some(other) = named.find(|other| other.fibre != first.fibre)
        {
            return Err(mixed(first, other));
        }
        let mut ratios: Vec<f64> = self.candidates.iter().filter_map(Candidate::ratio).collect();
        if 2 * ratios.len() < self.candidates.len() || ratios.is_empty() {
            return Ok(None);
        }
        ratios.sort_by(f64::total_cmp);
        let usual = ratios[ratios.len() / 2];
        let is_same = |it: &Candidate| it.ratio().is_some_and(|ratio| (ratio / usual - 1.0).abs() <= SAME_KIND);
        let strange = |it: &&Candidate| it.ratio().is_some() && !is_same(it);
        let strangers = self.candidates.iter().filter(strange).count();
        if strangers >= 2
            && strangers as f64 >= MIXED * self.candidates.len() as f64
            && let Some(one) = self.candidates.iter().find(|it| is_same(it))
            && let Some(other) = self.candidates.iter().find(strange)
        {
            return Err(mixed(one, other));
        }
        for candidate in self.candidates.extract_if(.., |it| !is_same(it)) {
            let reason = match candidate.ratio() {
                None => "no core found".to_owned(),
                Some(ratio) => format!("its core is {ratio:.2} of the cladding, that of the others {usual:.2}"),
            };
            self.left_out.push(candidate.left_out(reason));
        }
        Ok(Some(usual))
    }
}

/// A file's name, safe to print.
fn name(path: &std::path::Path) -> String {
    names::display(path.file_name().map_or(path, std::path::Path::new))
}

fn dirt(inspection: &Inspection) -> String {
    if inspection.has_defect.is_none() {
        return "its inspection is incomplete".into();
    }
    let strongest = inspection.defects.iter().max_by(|a, b| a.severity.cmp(&b.severity));
    let strongest = strongest.map(|it| format!(", {} {} (confidence {:.2})", it.severity, it.kind, it.confidence));
    format!("not clean: {} found{}", inspection.defects.len(), strongest.unwrap_or_default())
}
