//! Carrying a plan out: one short transaction after the other, each a page of rows.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::{
    Tidied, TidyPlan,
    plan::{FORMER, Files, spared},
};
use crate::store::{label, write::Receipt, writer::Fault};

/// Inspections looked at in one step, and images whose files go in one: a result waits for no more.
const SPAN: i64 = 500;
const IMAGES: i64 = 50;

/// Where a tidying stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TidyStep {
    plan: Arc<TidyPlan>,
    stage: Stage,
    /// The last inspection that was looked at in this stage.
    after: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Former,
    Masks,
    Pictures,
}

/// A step that is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tidying {
    pub done: Tidied,
    /// What is to be written next; `None` at the end.
    pub next: Option<Box<TidyStep>>,
}

impl TidyStep {
    /// The first one.
    #[must_use]
    pub fn first(plan: TidyPlan) -> Self {
        Self { plan: Arc::new(plan), stage: Stage::Former, after: 0 }
    }

    fn from(&self, after: i64) -> Box<Self> {
        Box::new(Self { after, ..self.clone() })
    }

    fn then(&self, stage: Stage) -> Box<Self> {
        Box::new(Self { stage, after: 0, ..self.clone() })
    }
}

/// Writes one step. Its files are removed by [`super::sweep`] once it is committed.
pub(in crate::store) fn step(connection: &Connection, step: &TidyStep) -> Result<Receipt, Fault> {
    let plan = &step.plan;
    let mut done = Tidied::default();
    let next = match step.stage {
        Stage::Former => {
            let to = step.after.saturating_add(SPAN).min(plan.last);
            if plan.going.inspections > 0 {
                done.inspections = former(connection, step, to)?;
            }
            let more = plan.going.inspections > 0 && to < plan.last;
            Some(if more { step.from(to) } else { step.then(Stage::Masks) })
        }
        Stage::Masks => {
            let last = each_image(connection, step, Files::Masks, plan.masks_to, &mut |image, _| {
                connection
                    .prepare_cached(
                        "INSERT OR IGNORE INTO doomed SELECT folder, name FROM artefacts WHERE image_id = ?1",
                    )?
                    .execute([image])?;
                connection.prepare_cached("DELETE FROM artefacts WHERE image_id = ?1")?.execute([image])?;
                Ok(())
            })?;
            Some(last.map_or_else(|| step.then(Stage::Pictures), |last| step.from(last)))
        }
        Stage::Pictures => {
            let last = each_image(connection, step, Files::Pictures, plan.pictures_to, &mut |image, filename| {
                connection.prepare_cached("INSERT OR IGNORE INTO doomed VALUES ('images', ?1)")?.execute([filename])?;
                connection.prepare_cached("UPDATE images SET gone = 1 WHERE image_id = ?1")?.execute([image])?;
                label::settle(connection, image)?;
                Ok(())
            })?;
            last.map(|last| step.from(last))
        }
    };
    Ok(Receipt::Tidied(Box::new(Tidying { done, next })))
}

/// Removes former inspections up to that one, with all that hangs on them.
fn former(connection: &Connection, step: &TidyStep, to: i64) -> Result<u64, Fault> {
    let sql = format!("SELECT n.inspection_id FROM inspections n WHERE {FORMER}");
    let plan = &step.plan;
    let going: Vec<i64> = connection
        .prepare_cached(&sql)?
        .query_map(params![step.after, to, plan.former_before, plan.keep.former], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for table in [
        "inspection_defect_parts",
        "inspection_defects",
        "inspection_zones",
        "inspection_features",
        "inspection_histograms",
        "inspection_verdicts",
        "inspections",
    ] {
        let mut delete = connection.prepare_cached(&format!("DELETE FROM {table} WHERE inspection_id = ?1"))?;
        for inspection in &going {
            delete.execute([inspection])?;
        }
    }
    Ok(going.len() as u64)
}

/// The next images with such files, as far as the plan goes. The last one's inspection; `None` where there is none.
fn each_image(
    connection: &Connection,
    step: &TidyStep,
    files: Files,
    to: i64,
    each: &mut dyn FnMut(&str, &str) -> Result<(), Fault>,
) -> Result<Option<i64>, Fault> {
    let sql = format!(
        "SELECT i.image_id, i.filename, i.inspection_id FROM images i
         WHERE i.inspection_id > ?1 AND i.inspection_id <= ?2 AND {} AND NOT {}
         ORDER BY i.inspection_id LIMIT {IMAGES}",
        files.condition(),
        spared(step.plan.keep.protect)
    );
    let images: Vec<(String, String, i64)> = connection
        .prepare_cached(&sql)?
        .query_map([step.after, to], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (image, filename, _) in &images {
        each(image, filename)?;
    }
    Ok(images.last().map(|(_, _, inspection)| *inspection))
}
