//! The read-only database as the screen's [`Rows`]: asks the store and cleans every text that comes out of it.

use ferrule_core::{
    ids::CaptureId,
    names,
    report::CaptureState,
    store::{CaptureDetail, CaptureQuery, CaptureRow, Reader, StoreError},
    workspace::DatasetPaths,
};

use super::{
    plain::{clean, clean_inspection, file_name},
    rows::{Detail, Filter, Label, Page, Place, Row, Rows},
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
    fn page(&mut self, filter: &Filter, place: Place, limit: usize) -> Result<Page, String> {
        let (after, oldest_first) = match place {
            Place::First => (None, false),
            Place::OlderThan(capture) => (Some(capture), false),
            Place::NewerThan(capture) => (Some(capture), true),
            Place::Last => (None, true),
        };
        let query = CaptureQuery {
            after,
            oldest_first,
            limit,
            states: filter.state.into_iter().collect(),
            has_defect: filter.label.map(|label| match label {
                Label::Defect => Some(true),
                Label::Clean => Some(false),
                Label::None => None,
            }),
            text: Some(filter.text.clone()).filter(|text| !text.is_empty()),
            ..CaptureQuery::default()
        };
        let mut found = self.reader.captures_page(&query).map_err(|error| line(&error))?;
        let ends = found.len() < limit;
        if oldest_first {
            found.reverse();
        }
        Ok(Page { rows: found.iter().map(row).collect(), ends })
    }

    fn detail(&mut self, capture: CaptureId) -> Result<Option<Detail>, String> {
        let found = self.reader.capture(capture).map_err(|error| line(&error))?;
        Ok(found.map(|found| detail(found, &self.paths)))
    }
}

fn line(error: &StoreError) -> String {
    clean(&error.to_string())
}

fn row(found: &CaptureRow) -> Row {
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
        row,
        message,
        inspection: found.inspection.map(clean_inspection),
        pictures,
    }
}
