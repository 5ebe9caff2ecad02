//! Saved views of the list of captures: a filter, an order and columns under a name, for everybody who opens the workspace.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{Reader, StoreError, pipelines::now, write::Receipt, writer::Fault};

/// Longest text of a view, in bytes.
const LONGEST: usize = 2_000;

/// A view. What its texts mean is the client's: the engine keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedView {
    /// One line, shown to people.
    pub name: String,
    /// As [`crate::filter::Filter`] is typed.
    pub filter: String,
    /// As [`crate::filter::Order`] is written.
    pub order: String,
    /// Columns by name, with commas between them; empty for the usual ones.
    pub columns: String,
}

impl SavedView {
    /// Why it cannot be kept; one line.
    pub(crate) fn fault(&self) -> Option<String> {
        let texts = [&self.name, &self.filter, &self.order, &self.columns];
        if self.name.trim().is_empty() {
            return Some("a view needs a name".into());
        }
        let sound = |text: &&String| text.len() <= LONGEST && !text.chars().any(char::is_control);
        (!texts.iter().all(sound)).then(|| format!("a view's texts are single lines of at most {LONGEST} bytes"))
    }
}

/// Keeps a view in place of one of the same name.
pub(super) fn keep(connection: &Connection, view: &SavedView) -> Result<Receipt, Fault> {
    if let Some(fault) = view.fault() {
        return Err(Fault::Refused(fault));
    }
    connection.execute(
        "INSERT OR REPLACE INTO views (name, filter, sort, columns, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![view.name, view.filter, view.order, view.columns, now()],
    )?;
    Ok(Receipt::Views)
}

pub(super) fn forget(connection: &Connection, name: &str) -> Result<Receipt, Fault> {
    connection.execute("DELETE FROM views WHERE name = ?1", [name])?;
    Ok(Receipt::Views)
}

impl Reader {
    /// Every saved view, by name.
    ///
    /// # Errors
    /// The database cannot be read, or is older than this build.
    pub fn views(&self) -> Result<Vec<SavedView>, StoreError> {
        self.refuse_older()?;
        let mut select =
            self.connection().prepare_cached("SELECT name, filter, sort, columns FROM views ORDER BY name")?;
        let rows = select.query_map([], |row| {
            Ok(SavedView { name: row.get(0)?, filter: row.get(1)?, order: row.get(2)?, columns: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
