//! Compares what two pipelines have said already, from the inspections that a dataset keeps. Only reads.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    report::Side,
    tally::{Comparison, Tally},
};
use crate::{
    ids::{BuildHash, ImageId, PluginId},
    store::{InspectionKey, PipelineRow, Reader, StoreError},
    swap::short,
    workspace::DatasetPaths,
};

/// A pipeline that the dataset does not know, or more than one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPipeline {
    #[error("there is no pipeline `{0}`; {1}")]
    None(String, String),
    #[error("`{0}` begins the ids of several pipelines; {1}")]
    Several(String, String),
}

/// The pipeline with this id, or whose id begins so.
///
/// # Errors
/// There is none, or more than one; lists those there are.
pub fn which<'a>(pipelines: &'a [PipelineRow], id: &str) -> Result<&'a PipelineRow, UnknownPipeline> {
    let there = || match pipelines {
        [] => "this dataset has none".to_owned(),
        some => {
            let each =
                some.iter().map(|row| format!("{} ({} inspections, since {})", row.id, row.inspections, row.first_at));
            format!("there are {}", each.collect::<Vec<_>>().join(", "))
        }
    };
    let mut found = pipelines.iter().filter(|row| row.id.as_str().starts_with(id));
    match (found.next(), found.next()) {
        (Some(row), None) => Ok(row),
        (None, _) => Err(UnknownPipeline::None(id.to_owned(), there())),
        (Some(_), Some(_)) => Err(UnknownPipeline::Several(id.to_owned(), there())),
    }
}

/// A build of a plug-in, and the pipelines that had it, by whose word it is known.
#[derive(Debug, Clone, Copy)]
pub struct OfBuild<'a> {
    pub plugin: &'a PluginId,
    pub build: &'a BuildHash,
}

/// Hears after each picture how many of how many are through; `false` ends the comparison with what there is of it.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> bool;

/// Compares the latest complete inspections of each image that both pipelines have seen, of the `chosen` images or of all;
/// `keep` of those that differ most are kept.
///
/// # Errors
/// The database cannot be read.
pub fn stored(
    reader: &Reader,
    paths: &DatasetPaths,
    pipelines: [&PipelineRow; 2],
    chosen: Option<&BTreeSet<ImageId>>,
    keep: usize,
    progress: Progress<'_>,
) -> Result<Comparison, StoreError> {
    let of = |row: &PipelineRow| {
        let side = Side { name: row.id.to_string(), pipeline: row.id.clone(), plugins: row.plugins.clone() };
        Ok::<_, StoreError>((side, reader.inspected_by(&row.id)?))
    };
    between(reader, paths, [of(pipelines[0])?, of(pipelines[1])?], chosen, keep, progress)
}

/// The same for two builds of plug-ins: of each image the latest that any pipeline with the build has said.
///
/// # Errors
/// The database cannot be read, or no pipeline ever had one of them.
pub fn stored_builds(
    reader: &Reader,
    paths: &DatasetPaths,
    builds: [OfBuild<'_>; 2],
    chosen: Option<&BTreeSet<ImageId>>,
    keep: usize,
    progress: Progress<'_>,
) -> Result<Comparison, StoreError> {
    let pipelines = reader.pipelines()?;
    let of = |OfBuild { plugin, build }: OfBuild<'_>| {
        let known = reader.pipelines_with(plugin, build)?;
        let newest = known.last().and_then(|id| pipelines.iter().find(|row| row.id == *id));
        let newest = newest
            .ok_or_else(|| StoreError::Unreadable { what: format!("a pipeline with build {build} of {plugin}") })?;
        let name = format!("{plugin}@{}", short(build));
        let side = Side { name, pipeline: newest.id.clone(), plugins: newest.plugins.clone() };
        let mut inspected: Inspected = BTreeMap::new();
        for id in &known {
            for (image, key) in reader.inspected_by(id)? {
                inspected.entry(image).and_modify(|latest| *latest = key.max(*latest)).or_insert(key);
            }
        }
        Ok::<_, StoreError>((side, inspected))
    };
    between(reader, paths, [of(builds[0])?, of(builds[1])?], chosen, keep, progress)
}

type Inspected = BTreeMap<ImageId, InspectionKey>;

fn between(
    reader: &Reader,
    paths: &DatasetPaths,
    [(a, mut of_a), (b, mut of_b)]: [(Side, Inspected); 2],
    chosen: Option<&BTreeSet<ImageId>>,
    keep: usize,
    progress: Progress<'_>,
) -> Result<Comparison, StoreError> {
    if let Some(chosen) = chosen {
        of_a.retain(|image, _| chosen.contains(image));
        of_b.retain(|image, _| chosen.contains(image));
    }
    let shared: Vec<_> = of_a.iter().filter_map(|(image, a)| Some((*image, *a, *of_b.get(image)?))).collect();
    let mut tally = Tally::keeping(keep);
    let mut interrupted = false;
    for (done, (image, a, b)) in (1_u64..).zip(&shared) {
        if let (Some(first), Some(second)) = (reader.inspection(*a)?, reader.inspection(*b)?) {
            let name = reader.image_name(*image)?.unwrap_or_else(|| image.to_string());
            tally.take(name.clone(), paths.images().join(&name), [first, second]);
        }
        if !progress(done, shared.len() as u64) {
            interrupted = true;
            break;
        }
    }
    let only = |count: usize, side: &Side| {
        let missing = count - shared.len();
        (missing > 0).then(|| format!("{missing} pictures were inspected by {} and not by the other", side.name))
    };
    let remarks = [only(of_a.len(), &a), only(of_b.len(), &b)].into_iter().flatten().collect();
    Ok(tally.end([a, b], remarks, interrupted))
}
