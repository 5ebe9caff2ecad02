//! Rows of alarms: when each was raised, when it was over, who acknowledged it. A history; what stands now is the engine's.

use rusqlite::{Connection, Row, params};

use super::{
    Reader, StoreError,
    pipelines::now,
    reader::{limit_of, unreadable},
    write::Receipt,
    writer::Fault,
};
use crate::alarm::{Alarm, AlarmKind, AlarmStep};

/// Unacknowledged alarms that a new engine takes over; more rules than this nobody has.
const MOST: usize = 256;

/// Writes what became of an alarm.
pub(super) fn step(connection: &Connection, step: AlarmStep, alarm: &Alarm) -> Result<Receipt, Fault> {
    // The latest row of a rule is the one that stands: there is never more than one.
    let latest = "(SELECT max(alarm_id) FROM alarms WHERE rule = ?1)";
    match step {
        AlarmStep::Raised => connection
            .prepare_cached("INSERT INTO alarms (rule, kind, message, raised_at, bell) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![alarm.rule, alarm.kind.as_str(), alarm.message, alarm.raised_at, alarm.bell])?,
        AlarmStep::Over => connection
            .prepare_cached(&format!("UPDATE alarms SET cleared_at = ?2 WHERE alarm_id = {latest}"))?
            .execute(params![alarm.rule, alarm.over_at])?,
        AlarmStep::Acknowledged => connection
            .prepare_cached(&format!("UPDATE alarms SET seen_by = ?2, seen_at = ?3 WHERE alarm_id = {latest}"))?
            .execute(params![alarm.rule, alarm.seen_by, now()])?,
    };
    Ok(Receipt::Alarm)
}

/// An engine that ended judges nothing: whatever held then is over as far as anybody knows.
pub(super) fn recover(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute("UPDATE alarms SET cleared_at = ?1 WHERE cleared_at IS NULL", [now()])?;
    Ok(())
}

const COLUMNS: &str = "SELECT rule, kind, message, raised_at, cleared_at, seen_by, bell FROM alarms";

fn alarm_row(row: &Row<'_>) -> Result<Alarm, rusqlite::Error> {
    let kind = row.get_ref(1)?.as_str()?;
    Ok(Alarm {
        rule: row.get(0)?,
        kind: AlarmKind::parse(kind).ok_or_else(|| unreadable(1, "an unknown kind of alarm"))?,
        message: row.get(2)?,
        raised_at: row.get(3)?,
        over_at: row.get(4)?,
        seen_by: row.get(5)?,
        bell: row.get(6)?,
    })
}

impl Reader {
    /// The newest alarms, acknowledged or not.
    ///
    /// # Errors
    /// The database cannot be read, or is older than this build.
    pub fn alarms(&self, limit: usize) -> Result<Vec<Alarm>, StoreError> {
        self.refuse_older()?;
        let mut select = self.connection().prepare_cached(&format!("{COLUMNS} ORDER BY alarm_id DESC LIMIT ?1"))?;
        let rows = select.query_map([limit_of(limit)], alarm_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Those that nobody has acknowledged, the oldest first.
    ///
    /// # Errors
    /// The database cannot be read, or is older than this build.
    pub(crate) fn unseen_alarms(&self) -> Result<Vec<Alarm>, StoreError> {
        self.refuse_older()?;
        let sql = format!("{COLUMNS} WHERE seen_by IS NULL ORDER BY alarm_id LIMIT ?1");
        let mut select = self.connection().prepare_cached(&sql)?;
        let rows = select.query_map([limit_of(MOST)], alarm_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
