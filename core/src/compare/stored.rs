//! Compares what two pipelines have said already, from the inspections that a dataset keeps. Only reads.

use super::{
    report::Side,
    tally::{Comparison, Tally},
};
use crate::{
    store::{PipelineRow, Reader, StoreError},
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

/// Compares the latest complete inspections of each image that both pipelines have seen; `keep` of those that differ most
/// are kept.
///
/// # Errors
/// The database cannot be read.
pub fn stored(
    reader: &Reader,
    paths: &DatasetPaths,
    pipelines: [&PipelineRow; 2],
    keep: usize,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Comparison, StoreError> {
    let [a, b] = pipelines;
    let (of_a, of_b) = (reader.inspected_by(&a.id)?, reader.inspected_by(&b.id)?);
    let shared: Vec<_> = of_a.iter().filter_map(|(image, a)| Some((*image, *a, *of_b.get(image)?))).collect();
    let mut tally = Tally::keeping(keep);
    for (done, (image, a, b)) in (1_u64..).zip(&shared) {
        if let (Some(first), Some(second)) = (reader.inspection(*a)?, reader.inspection(*b)?) {
            let name = reader.image_name(*image)?.unwrap_or_else(|| image.to_string());
            tally.take(name.clone(), paths.images().join(&name), [first, second]);
        }
        progress(done, shared.len() as u64);
    }
    let only = |count: usize, side: &PipelineRow| {
        (count > shared.len())
            .then(|| format!("{} pictures were inspected by {} and not by the other", count - shared.len(), side.id))
    };
    let remarks = [only(of_a.len(), a), only(of_b.len(), b)].into_iter().flatten().collect();
    let side =
        |row: &PipelineRow| Side { name: row.id.to_string(), pipeline: row.id.clone(), plugins: row.plugins.clone() };
    Ok(tally.end([side(a), side(b)], remarks, false))
}
