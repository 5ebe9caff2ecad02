//! Lists of captures over any number of rows: one page, all that match, how many they are.
//!
//! Which way is short depends on how rare what is looked for is, so that is found out first, by counting up to
//! [`EFFORT`]'s rows of an index: of rare things all are looked at and sorted. Else the order's own index is walked until
//! the page is full; and where that takes too long, because the rows that match lie elsewhere, the narrow table `listing`
//! is read from end to end once. So no page costs more than that.

mod condition;
mod driver;
#[cfg(test)]
mod tests;

use rusqlite::{OptionalExtension, params_from_iter, types::Value};

use self::{
    condition::{Condition, conditions},
    driver::{Driver, drivers, of_path, these},
};
use super::{
    Reader, StoreError,
    page::{self, capture_row},
    reader::{CaptureRow, image_from, limit_of, state_from},
};
use crate::{
    filter::{Column, Filter, Order},
    ids::{CaptureId, ImageId},
    report::CaptureState,
};

/// When one way is given up for another.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// What no more rows have than this is looked at whole.
    rare: usize,
    /// Rows of an order's index that are tried before everything is read.
    walk: usize,
    /// Rows after which it is looked whether the page will be full by then: everything is read sooner where it will not.
    doubt: usize,
}

impl Effort {
    /// After so many rows of an index with so many of the page found among them: would all that may be tried not even fill
    /// half of the page?
    const fn is_hopeless(self, tried: usize, found: usize, limit: usize) -> bool {
        tried >= self.doubt && 2 * found * self.walk < limit * tried
    }
}

/// Either is done within a twentieth of a second.
const EFFORT: Effort = Effort { rare: 20_000, walk: 40_000, doubt: 6_000 };

/// Which captures, and from where on. The default is the newest of all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CaptureQuery {
    pub filter: Filter,
    pub order: Order,
    /// The last capture of the page before; `None` begins at the end that comes first. For the page before this one ask
    /// in the reversed order.
    pub after: Option<CaptureId>,
    pub limit: usize,
}

/// A capture of a list, as an action on many needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    pub capture: CaptureId,
    pub image: Option<ImageId>,
    pub state: CaptureState,
}

/// SQL with its values, in the order of its question marks.
#[derive(Debug, Clone, PartialEq)]
struct Statement {
    sql: String,
    values: Vec<Value>,
}

impl Reader {
    /// One page.
    ///
    /// # Errors
    /// The database cannot be read, or is older than this build.
    pub fn captures_page(&self, query: &CaptureQuery) -> Result<Vec<CaptureRow>, StoreError> {
        self.refuse_older()?;
        let ids = self.page_ids(query, EFFORT)?;
        let mut select = self.connection().prepare_cached(&format!("{} WHERE c.capture_id = ?1", page::COLUMNS))?;
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            rows.extend(select.query_row([id], capture_row).optional()?);
        }
        Ok(rows)
    }

    /// How many captures match.
    ///
    /// # Errors
    /// The database cannot be read, or is older than this build.
    pub fn captures_count(&self, filter: &Filter) -> Result<u64, StoreError> {
        self.refuse_older()?;
        if filter.is_empty() {
            return Ok(self.counts()?.seen);
        }
        let wanted = conditions(filter);
        let statement = match self.rare(filter, EFFORT.rare)? {
            Some(rare) => counted(&gathered(&rare, &wanted)),
            None => match drivers(filter).into_iter().find(|driver| driver.exact && filter.terms().len() == 1) {
                Some(driver) => counted(&driver.ids),
                None => match self.on_path(filter, EFFORT.rare)? {
                    Some(paths) => counted(&gathered(&paths, &wanted)),
                    None => counted(&Statement {
                        sql: format!("SELECT l.capture_id FROM listing l NOT INDEXED WHERE {}", wanted.sql),
                        values: wanted.values,
                    }),
                },
            },
        };
        let mut select = self.connection().prepare_cached(&statement.sql)?;
        let count: i64 = select.query_row(params_from_iter(statement.values), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Every capture that matches, the newest first, at most so many.
    ///
    /// # Errors
    /// The database cannot be read, or is older than this build.
    pub fn captures_matching(&self, filter: &Filter, most: usize) -> Result<Vec<Listed>, StoreError> {
        self.refuse_older()?;
        let ids =
            self.page_ids(&CaptureQuery { filter: filter.clone(), limit: most, ..CaptureQuery::default() }, EFFORT)?;
        let sql = "SELECT capture_id, image_id, state FROM captures WHERE capture_id = ?1";
        let mut select = self.connection().prepare_cached(sql)?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let row = select.query_row([id], |row| {
                Ok(Listed { capture: CaptureId(row.get(0)?), image: image_from(row, 1)?, state: state_from(row, 2)? })
            });
            found.extend(row.optional()?);
        }
        Ok(found)
    }

    fn page_ids(&self, query: &CaptureQuery, effort: Effort) -> Result<Vec<i64>, StoreError> {
        let key = match query.after {
            None => None,
            Some(after) => match self.key(query.order.by, after)? {
                Some(key) => Some(key),
                None => return Ok(Vec::new()),
            },
        };
        let wanted = conditions(&query.filter);
        if let Some(rare) = self.rare(&query.filter, effort.rare)? {
            let from = gathered(&rare, &wanted);
            return self.ids(&sorted(from, query.order, key.as_ref(), query.limit));
        }
        let column = walked_column(query);
        let mut page = Vec::new();
        let mut left = effort.walk;
        for step in walk(query.order, key.as_ref(), column.as_ref(), &wanted) {
            let mut select = self.connection().prepare_cached(&step.sql)?;
            let mut rows = select.query(params_from_iter(&step.values))?;
            while let Some(row) = rows.next()? {
                if page.len() >= query.limit || left == 0 {
                    break;
                }
                if effort.is_hopeless(effort.walk - left, page.len(), query.limit) {
                    left = 0;
                    break;
                }
                left -= 1;
                if row.get::<_, Option<bool>>(1)? == Some(true) {
                    page.push(row.get(0)?);
                }
            }
            if page.len() >= query.limit {
                return Ok(page);
            }
            if left == 0 {
                let all = match self.on_path(&query.filter, effort.rare)? {
                    Some(paths) => sorted(gathered(&paths, &wanted), query.order, key.as_ref(), query.limit),
                    None => scanned(query.order, key.as_ref(), wanted, query.limit),
                };
                return self.ids(&all);
            }
        }
        Ok(page)
    }

    fn ids(&self, statement: &Statement) -> Result<Vec<i64>, StoreError> {
        let mut select = self.connection().prepare_cached(&statement.sql)?;
        let rows = select.query_map(params_from_iter(&statement.values), |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Those on a path that is asked for, where that is and where they are rare: every path is read once.
    fn on_path(&self, filter: &Filter, most: usize) -> Result<Option<Driver>, StoreError> {
        let Some(Statement { sql, values }) = of_path(filter) else { return Ok(None) };
        let found =
            self.ids(&Statement { sql: format!("SELECT capture_id FROM ({sql}) LIMIT {}", most + 1), values })?;
        Ok((found.len() <= most).then(|| these(&found)))
    }

    /// Where in the order a capture is.
    fn key(&self, by: Column, capture: CaptureId) -> Result<Option<Key>, StoreError> {
        let sql = format!("SELECT {} FROM listing WHERE capture_id = ?1", name(by));
        let mut select = self.connection().prepare_cached(&sql)?;
        let value = select.query_row([capture.0], |row| row.get(0)).optional()?;
        Ok(value.map(|value| Key { value, capture: capture.0 }))
    }

    /// The rarest thing that is asked for, if it is rare.
    fn rare(&self, filter: &Filter, most: usize) -> Result<Option<Driver>, StoreError> {
        let mut rarest = None;
        for driver in drivers(filter) {
            let sql = format!("SELECT count(*) FROM ({} LIMIT {})", driver.probe.sql, most + 1);
            let mut select = self.connection().prepare_cached(&sql)?;
            let count: i64 = select.query_row(params_from_iter(&driver.probe.values), |row| row.get(0))?;
            if count.unsigned_abs() as usize <= most && rarest.as_ref().is_none_or(|(least, _)| count < *least) {
                rarest = Some((count, driver));
            }
        }
        Ok(rarest.map(|(_, driver)| driver))
    }
}

/// A capture's place in an order.
struct Key {
    value: Value,
    capture: i64,
}

/// The column of `listing` that an order goes by.
const fn name(by: Column) -> &'static str {
    match by {
        Column::Time => "capture_id",
        Column::Confidence => "confidence",
        other => other.as_str(),
    }
}

const fn sign(descending: bool) -> &'static str {
    if descending { "<" } else { ">" }
}

const fn direction(descending: bool) -> &'static str {
    if descending { "DESC" } else { "ASC" }
}

fn counted(ids: &Statement) -> Statement {
    Statement { sql: format!("SELECT count(*) FROM ({})", ids.sql), values: ids.values.clone() }
}

/// Everything that the rare thing is true of, and all else too.
fn gathered(rare: &Driver, wanted: &Condition) -> Statement {
    let sql = format!(
        "SELECT l.capture_id FROM (SELECT DISTINCT capture_id FROM ({})) w CROSS JOIN listing l ON l.capture_id = w.capture_id
         WHERE {}",
        rare.ids.sql, wanted.sql
    );
    Statement { sql, values: rare.ids.values.iter().chain(&wanted.values).cloned().collect() }
}

/// What comes after the key, as a condition on its own.
fn after(order: Order, key: Option<&Key>) -> Condition {
    let Some(Key { value, capture }) = key else { return Condition::default() };
    let (by, sign) = (name(order.by), sign(order.descending));
    if order.by == Column::Time {
        return Condition { sql: format!("l.capture_id {sign} ?"), values: vec![Value::Integer(*capture)] };
    }
    Condition {
        sql: format!("(l.{by}, l.capture_id) {sign} (?, ?)"),
        values: vec![value.clone(), Value::Integer(*capture)],
    }
}

fn ordered(order: Order) -> String {
    let (by, direction) = (name(order.by), direction(order.descending));
    if order.by == Column::Time {
        return format!("ORDER BY l.capture_id {direction}");
    }
    format!("ORDER BY l.{by} {direction}, l.capture_id {direction}")
}

/// A page out of rows that are all looked at. `from` ends in a condition.
fn sorted(from: Statement, order: Order, key: Option<&Key>, limit: usize) -> Statement {
    let after = after(order, key);
    let sql = format!("{} AND {} {} LIMIT {}", from.sql, after.sql, ordered(order), limit_of(limit));
    Statement { sql, values: from.values.into_iter().chain(after.values).collect() }
}

/// Everything read once, from end to end.
fn scanned(order: Order, key: Option<&Key>, wanted: Condition, limit: usize) -> Statement {
    let sql = format!("SELECT l.capture_id FROM listing l NOT INDEXED WHERE {}", wanted.sql);
    sorted(Statement { sql, values: wanted.values }, order, key, limit)
}

/// In the order of time an index of something that is asked for is walked: it has that order too.
fn walked_column(query: &CaptureQuery) -> Option<(&'static str, Value)> {
    if query.order.by != Column::Time {
        return None;
    }
    drivers(&query.filter).into_iter().find_map(|driver| driver.column)
}

/// One step after the other, each a stretch of an index in the page's order; every row says whether it is wanted.
fn walk(order: Order, key: Option<&Key>, column: Option<&(&'static str, Value)>, wanted: &Condition) -> Vec<Statement> {
    let (by, sign, direction) = (name(order.by), sign(order.descending), direction(order.descending));
    let step = |index: String, place: Vec<(String, Value)>, ordered: String| {
        let values = wanted.values.iter().cloned();
        let (places, more): (Vec<String>, Vec<Value>) = place.into_iter().unzip();
        let places = if places.is_empty() { String::new() } else { format!("WHERE {}", places.join(" AND ")) };
        let sql = format!("SELECT l.capture_id, {} FROM listing l {index} {places} {ordered}", wanted.sql);
        Statement { sql, values: values.chain(more).collect() }
    };
    if order.by == Column::Time {
        let mut place = Vec::new();
        let mut index = "NOT INDEXED".to_owned();
        if let Some((column, value)) = column {
            index = format!("INDEXED BY listing_{column}");
            place.push((format!("l.{column} = ?"), value.clone()));
        }
        if let Some(key) = key {
            place.push((format!("l.capture_id {sign} ?"), Value::Integer(key.capture)));
        }
        return vec![step(index, place, ordered(order))];
    }
    let index = format!("INDEXED BY listing_{by}");
    let Some(key) = key else { return vec![step(index, Vec::new(), ordered(order))] };
    // SQLite would go through all rows that are equal to the key's to find the ones after it.
    let ties = vec![
        (format!("l.{by} = ?"), key.value.clone()),
        (format!("l.capture_id {sign} ?"), Value::Integer(key.capture)),
    ];
    let beyond = vec![(format!("l.{by} {sign} ?"), key.value.clone())];
    vec![step(index.clone(), ties, format!("ORDER BY l.capture_id {direction}")), step(index, beyond, ordered(order))]
}
