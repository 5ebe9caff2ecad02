//! The read-only database as the screen's [`Rows`]: asks the store and cleans every text that comes out of it.

use ferrule_core::{
    compare::Pairing,
    dataset::review::Agreement,
    filter::{Filter, Order},
    ids::CaptureId,
    job::Job,
    names,
    report::{CaptureState, Defect},
    store::{
        CaptureDetail, CaptureQuery, CaptureRow, Former, Heat, Listed, Reader, ReviewQueue, SavedView, StoreError,
        Trend,
    },
    workspace::DatasetPaths,
};

use super::{
    plain::{clean, clean_inspection, clean_job, file_name},
    rows::{Before, Detail, List, Page, Place, Row, Rows},
};

/// A dataset's database, read.
pub struct DatasetRows {
    paths: DatasetPaths,
    reader: Reader,
}

impl DatasetRows {
    /// Opens the database of an existing dataset. The error is one line for a person.
    pub fn open(paths: &DatasetPaths) -> Result<Self, String> {
        let reader = Reader::open(paths).map_err(|error| line(&error))?;
        Ok(Self { paths: paths.clone(), reader })
    }
}

impl Rows for DatasetRows {
    fn page(&mut self, list: &List, place: Place, limit: usize) -> Result<Page, String> {
        let (after, backwards) = match place {
            Place::First => (None, false),
            Place::After(capture) => (Some(capture), false),
            Place::Before(capture) => (Some(capture), true),
            Place::Last => (None, true),
        };
        let order: Order = if backwards { list.order.reversed() } else { list.order };
        let query = CaptureQuery { filter: list.filter.clone(), order, after, limit };
        let mut found = self.reader.captures_page(&query).map_err(|error| line(&error))?;
        let ends = found.len() < limit;
        if backwards {
            found.reverse();
        }
        Ok(Page { rows: found.iter().map(row).collect(), ends })
    }

    fn count(&mut self, filter: &Filter) -> Result<u64, String> {
        self.reader.captures_count(filter).map_err(|error| line(&error))
    }

    fn matching(&mut self, filter: &Filter, limit: usize) -> Result<Vec<Listed>, String> {
        self.reader.captures_matching(filter, limit).map_err(|error| line(&error))
    }

    fn heat(&mut self, filter: &Filter, most: usize) -> Result<Heat, String> {
        self.reader.heat(filter, most).map_err(|error| line(&error))
    }

    fn views(&mut self) -> Result<Vec<SavedView>, String> {
        let views = self.reader.views().map_err(|error| line(&error))?;
        let cleaned = |view: SavedView| SavedView { name: clean(&view.name), ..view };
        Ok(views.into_iter().map(cleaned).collect())
    }

    fn queue(&mut self, queue: ReviewQueue, reviewer: &str, limit: usize) -> Result<Vec<CaptureId>, String> {
        self.reader.review_queue(queue, reviewer, limit).map_err(|error| line(&error))
    }

    fn agreements(&mut self) -> Result<Vec<Agreement>, String> {
        self.reader.agreements().map_err(|error| line(&error))
    }

    fn trend(&mut self, limit: usize) -> Result<Trend, String> {
        self.reader.trend(limit).map_err(|error| line(&error))
    }

    fn jobs(&mut self, limit: usize) -> Result<Vec<Job>, String> {
        let jobs = self.reader.jobs(limit).map_err(|error| line(&error))?;
        Ok(jobs.into_iter().map(clean_job).collect())
    }

    fn detail(&mut self, capture: CaptureId) -> Result<Option<Detail>, String> {
        let found = self.reader.capture(capture).map_err(|error| line(&error))?;
        let Some(found) = found else { return Ok(None) };
        let reviews = found.row.image.map(|image| self.reader.reviews_of(image)).transpose();
        let reviews = reviews.map_err(|error| line(&error))?.unwrap_or_default();
        // Most captures were inspected once: nothing is to be looked for.
        let former = match (found.row.image, found.inspections) {
            (Some(image), 2..) => self.reader.former(image).map_err(|error| line(&error))?,
            _ => None,
        };
        let mut detail = Detail { reviews, ..detail(found, &self.paths) };
        let now = detail.inspection.as_ref().map_or(&[][..], |inspection| inspection.defects.as_slice());
        detail.former = former.map(|former| Box::new(before(former, now)));
        Ok(Some(detail))
    }
}

fn before(former: Former, now: &[Defect]) -> Before {
    let former = Former {
        inspection: clean_inspection(former.inspection),
        differing: former.differing.iter().map(|judge| clean(judge)).collect(),
        ..former
    };
    Before { pairing: Pairing::of(&former.inspection.defects, now), former }
}

fn line(error: &StoreError) -> String {
    clean(&error.to_string())
}

fn row(found: &CaptureRow) -> Row {
    let tag = |name: &str| found.tags.get(name).map_or_else(String::new, |text| clean(text));
    Row {
        capture: found.capture,
        image: found.image,
        state: found.state,
        seen_at: found.seen_at.parse().ok(),
        source: clean(&found.source),
        name: file_name(&names::display(&found.path)),
        has_defect: found.has_defect,
        defects: found.defects,
        verdict: found.verdict,
        incomplete: found.incomplete,
        severity: found.severity,
        confidence: found.confidence,
        quality: found.quality,
        split: found.split.clone().unwrap_or_default(),
        job: tag("job"),
        port: tag("port"),
        side: tag("side"),
        ms: found.ms,
        size: found.size,
        reviewed: found.reviewed,
    }
}

fn detail(found: CaptureDetail, paths: &DatasetPaths) -> Detail {
    let row = row(&found.row);
    // The dataset's copy is what was inspected; the source's file may have been rewritten or removed since.
    let mut pictures: Vec<_> = found.filename.iter().map(|name| paths.images().join(name)).collect();
    if row.state != CaptureState::Replaced {
        pictures.push(found.row.path.clone());
    }
    let message = match (&found.row.failure, found.row.duplicate_of, found.row.replaced_by) {
        (Some(failure), ..) => Some(clean(&failure.to_string())),
        (None, Some(first), _) => Some(format!("the same content as capture {first}")),
        (None, None, Some(later)) => Some(format!("rewritten since: capture {later}")),
        (None, None, None) => None,
    };
    Detail {
        path: clean(&names::display(&found.row.path)),
        source_file: (row.state != CaptureState::Replaced)
            .then(|| found.row.path.as_os_str().as_encoded_bytes().to_vec()),
        row,
        message,
        inspection: found.inspection.map(clean_inspection),
        pictures,
        reviews: Vec::new(),
        former: None,
    }
}
