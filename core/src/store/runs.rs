//! Rows of trainings and of the models that they made.

use std::os::unix::ffi::OsStrExt;

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::{
    Reader, StoreError,
    pipelines::now,
    write::{Receipt, RunChange},
    writer::Fault,
};

/// A run as a line in a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    pub run: String,
    pub task: String,
    pub network: String,
    /// `running`, `finished`, `early`, `stopped`, `failed`; `interrupted` where its process died.
    pub state: String,
    /// Plan, dataset and samples, as JSON.
    pub settings: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    pub ended_at: Option<String>,
    pub best_epoch: Option<u32>,
    pub message: Option<String>,
    pub notes: String,
    pub tags: String,
    /// Figures of the best epoch, as JSON.
    pub best: Option<String>,
}

impl RunRow {
    /// What the next engine writes of a run whose process died: for whoever reads it where nobody holds the dataset.
    #[must_use]
    pub fn interrupted(self) -> Self {
        if self.state != "running" {
            return self;
        }
        Self { state: "interrupted".into(), message: Some(DIED.into()), ..self }
    }
}

/// What is said of a run whose process died.
const DIED: &str = "its process was ended; `ferrule train --resume` goes on from its last epoch";

/// An epoch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EpochRow {
    pub epoch: u32,
    pub at: String,
    pub seconds: f64,
    /// Figures by name, as JSON.
    pub figures: String,
}

/// Writes a change.
pub(super) fn change(connection: &Connection, change: &RunChange) -> Result<Receipt, Fault> {
    let at = now();
    let run = match change {
        RunChange::Begin { run, task, network, settings } => {
            connection.execute(
                "INSERT INTO runs (run_id, task, arch, state, settings, started_at) VALUES (?1, ?2, ?3, 'running', ?4, ?5)
                 ON CONFLICT (run_id) DO UPDATE SET state = 'running', settings = ?4, ended_at = NULL, message = NULL",
                params![run, task, network, settings, at],
            )?;
            run
        }
        RunChange::Epoch { run, epoch, seconds, figures } => {
            connection.execute(
                "INSERT OR REPLACE INTO epochs (run_id, epoch, at, seconds, figures) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![run, epoch, at, seconds, figures],
            )?;
            run
        }
        RunChange::End { run, state, best_epoch, message } => {
            connection.execute(
                "UPDATE runs SET state = ?2, ended_at = ?3, best_epoch = coalesce(?4, best_epoch), message = ?5
                 WHERE run_id = ?1",
                params![run, state, at, best_epoch, message],
            )?;
            run
        }
        RunChange::Note { run, notes, tags } => {
            let touched = connection
                .execute("UPDATE runs SET notes = ?2, tags = ?3 WHERE run_id = ?1", params![run, notes, tags])?;
            if touched == 0 {
                return Err(Fault::Refused(format!("there is no run `{run}`")));
            }
            run
        }
        RunChange::Delete { run } => {
            connection.execute("UPDATE models SET run_id = NULL WHERE run_id = ?1", [run])?;
            connection.execute("DELETE FROM epochs WHERE run_id = ?1", [run])?;
            connection.execute("DELETE FROM runs WHERE run_id = ?1", [run])?;
            run
        }
        RunChange::Model { model, run, task, network, path, figures } => {
            connection.execute(
                "INSERT OR REPLACE INTO models (model_id, run_id, task, arch, path, figures, made_at, deployed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
                params![model, run, task, network, path.as_os_str().as_bytes(), figures, at],
            )?;
            model
        }
    };
    Ok(Receipt::Run(run.clone()))
}

/// Runs whose process died with the engine.
pub(super) fn interrupted(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute("UPDATE runs SET state = 'interrupted', message = ?1 WHERE state = 'running'", [DIED])?;
    Ok(())
}

const RUNS: &str = "SELECT run_id, task, arch, state, settings, started_at, ended_at, best_epoch, message, notes, tags,
                    (SELECT figures FROM epochs e WHERE e.run_id = runs.run_id AND e.epoch = runs.best_epoch) FROM runs";

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        run: row.get(0)?,
        task: row.get(1)?,
        network: row.get(2)?,
        state: row.get(3)?,
        settings: row.get(4)?,
        started_at: row.get(5)?,
        ended_at: row.get(6)?,
        best_epoch: row.get(7)?,
        message: row.get(8)?,
        notes: row.get(9)?,
        tags: row.get(10)?,
        best: row.get(11)?,
    })
}

impl Reader {
    /// Every run, the newest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        self.rows(&format!("{RUNS} ORDER BY started_at DESC, run_id DESC"), run_row)
    }

    /// One run, if it is there.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn run(&self, run: &str) -> Result<Option<RunRow>, StoreError> {
        let mut select = self.connection().prepare_cached(&format!("{RUNS} WHERE run_id = ?1"))?;
        Ok(select.query_row([run], run_row).optional()?)
    }

    /// A run's epochs in order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn epochs(&self, run: &str) -> Result<Vec<EpochRow>, StoreError> {
        self.epochs_after(run, 0)
    }

    /// Those of its epochs that came after that one, in order.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn epochs_after(&self, run: &str, after: u32) -> Result<Vec<EpochRow>, StoreError> {
        let mut select = self.connection().prepare_cached(
            "SELECT epoch, at, seconds, figures FROM epochs WHERE run_id = ?1 AND epoch > ?2 ORDER BY epoch",
        )?;
        let rows = select.query_map(params![run, after], |row| {
            Ok(EpochRow { epoch: row.get(0)?, at: row.get(1)?, seconds: row.get(2)?, figures: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All rows of a question, as `map` reads them.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut select = self.connection().prepare_cached(sql)?;
        let rows = select.query_map([], map)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
