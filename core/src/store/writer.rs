//! The one thread that writes: takes what waits, writes it in one transaction, then tells. What the disk will not take is
//! kept and tried again.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, never, select};
use rusqlite::{Connection, ErrorCode, Savepoint, Transaction, TransactionBehavior};

use super::{
    StoreError, admit, alarms, correlations,
    divider::{Divider, Planned, Task},
    finish, pipelines,
    publish::{Placement, Publisher},
    requeue, reviews, runs, split, swaps, tidy, views,
    write::{Receipt, Write},
};
use crate::report::Failure;

/// Writes committed together at most. What arrives during one commit makes the next batch; a lone write waits only where
/// [`StoreSettings::gather`](super::StoreSettings::gather) says so.
const BATCH: usize = 256;

/// Between two attempts in trouble: doubled from the first to the last.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Why a write was not stored.
#[derive(Debug)]
pub(super) enum Fault {
    /// The disk is full, read-only or busy: the same write may succeed later.
    Trouble { message: String, hint: String },
    /// This write can never be stored.
    Refused(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let message = format!("the database does not take results: {error}");
        let hint = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "make room on the disk that holds the dataset",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another program holds a transaction on index.sqlite: end it"
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                "make the dataset folder writable again"
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                "index.sqlite is damaged: stop the engine and run `ferrule verify`"
            }
            Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory | ErrorCode::FileLockingProtocolFailed) => {
                "check the disk that holds the dataset: has it room and quota, is it writable"
            }
            _ => return Self::Refused(error.to_string()),
        };
        Self::Trouble { message, hint: hint.into() }
    }
}

/// What there is to write.
#[derive(Debug)]
enum Work {
    /// For the engine.
    Write(Write),
    /// For the thread that divides.
    Sides(Planned),
}

/// Work that is not committed yet.
#[derive(Debug)]
struct Pending {
    work: Work,
    /// An earlier attempt may have moved its files into place already.
    tried: bool,
}

impl From<Work> for Pending {
    fn from(work: Work) -> Self {
        Self { work, tried: false }
    }
}

impl From<Write> for Pending {
    fn from(write: Write) -> Self {
        Work::Write(write).into()
    }
}

/// What is to be said once it is committed, and to whom.
#[derive(Debug)]
enum Told {
    Engine(Receipt),
    /// It divides what is committed.
    Divider(Task),
    /// It waits for its sides to be written.
    Sides(Sender<Result<(), String>>, Result<(), String>),
}

/// Owns the writing connection and the dataset's folders.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    publisher: Publisher,
    divider: Divider,
    receipts: Sender<Receipt>,
    /// Carries nothing; disconnected once the store is closed or dropped.
    open: Receiver<()>,
    /// How long answers may wait for others to be committed with them.
    gather: Duration,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        publisher: Publisher,
        divider: Divider,
        receipts: Sender<Receipt>,
        open: Receiver<()>,
        gather: Duration,
    ) -> Self {
        Self { connection, publisher, divider, receipts, open, gather }
    }

    /// Writes until the sender is gone and everything is stored.
    pub(super) fn run(mut self, writes: &Receiver<Write>) -> Result<(), StoreError> {
        let mut plans = self.divider.plans();
        loop {
            let first: Pending = select! {
                recv(writes) -> write => match write {
                    Ok(write) => write.into(),
                    Err(_) => return Ok(()),
                },
                recv(plans) -> planned => match planned {
                    Ok(planned) => Work::Sides(planned).into(),
                    Err(_) => {
                        plans = never();
                        continue;
                    }
                },
            };
            let mut batch: Vec<Pending> = vec![first];
            batch.extend(writes.try_iter().take(BATCH - 1).map(Pending::from));
            self.gather(&mut batch, writes);
            self.store(&mut batch, writes)?;
        }
    }

    /// Lets answers wait for others; anything else is waited for by somebody, and ends it.
    fn gather(&self, batch: &mut Vec<Pending>, writes: &Receiver<Write>) {
        let is_answer = |pending: &Pending| matches!(pending.work, Work::Write(Write::Finish(_)));
        let end = Instant::now() + self.gather;
        let mut patient = !self.gather.is_zero() && batch.iter().all(is_answer);
        while patient && batch.len() < BATCH {
            let Ok(write) = writes.recv_deadline(end) else { return };
            batch.push(write.into());
            patient = batch.last().is_some_and(is_answer);
        }
    }

    /// Commits a batch, however long the disk refuses it; gives up only when the engine is gone too.
    fn store(&mut self, batch: &mut [Pending], writes: &Receiver<Write>) -> Result<(), StoreError> {
        let mut pause = PATIENCE.0;
        let (mut troubled, mut closing) = (false, false);
        loop {
            match self.commit(batch) {
                Ok(told) => {
                    if troubled {
                        self.tell(Told::Engine(Receipt::TroubleOver));
                    }
                    told.into_iter().for_each(|told| self.tell(told));
                    return Ok(());
                }
                Err(Fault::Trouble { message, hint }) => {
                    if !troubled {
                        tracing::warn!(%message, %hint, writes = batch.len(), "nothing can be stored");
                        self.tell(Told::Engine(Receipt::Trouble { message: message.clone(), hint }));
                    }
                    troubled = true;
                    if self.open.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) && closing {
                        return Err(StoreError::Unwritten { writes: batch.len() + writes.len(), message });
                    }
                    closing = self.open.try_recv() == Err(TryRecvError::Disconnected);
                    pause = (pause * 2).min(PATIENCE.1);
                }
                // A commit as a whole is refused only by a deferred constraint: then one by one shows whose fault it is.
                Err(Fault::Refused(message)) if batch.len() == 1 => {
                    if batch.iter_mut().any(|pending| fail(&mut pending.work, &message)) {
                        continue;
                    }
                    batch.iter().for_each(|pending| self.tell(rejected(&pending.work, message.clone())));
                    return Ok(());
                }
                Err(Fault::Refused(_)) => {
                    for one in batch.chunks_mut(1) {
                        self.store(one, writes)?;
                    }
                    return Ok(());
                }
            }
        }
    }

    /// One transaction: all of the batch, or nothing of it. Files are in place before it is committed.
    fn commit(&mut self, batch: &mut [Pending]) -> Result<Vec<Told>, Fault> {
        let mut transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut told = Vec::with_capacity(batch.len());
        let mut placements = Vec::new();
        for pending in batch.iter_mut() {
            let (saying, placement) = apply(&mut transaction, &self.publisher, pending)?;
            told.push(saying);
            placements.extend(placement);
        }
        self.publisher.place(&placements)?;
        transaction.commit()?;
        self.publisher.tidy(&placements);
        for saying in &mut told {
            if let Told::Engine(Receipt::Tidied(tidying)) = saying {
                match tidy::sweep(&self.connection, self.publisher.paths()) {
                    Ok(swept) => tidying.done.add(swept),
                    // They stay listed: the next step, or the next start, removes them.
                    Err(error) => tracing::warn!(%error, "tidied files stay for now"),
                }
            }
        }
        Ok(told)
    }

    /// The engine may be gone already; then nobody needs to know.
    fn tell(&self, told: Told) {
        match told {
            Told::Engine(receipt) => drop(self.receipts.send(receipt)),
            Told::Divider(task) => self.divider.ask(task),
            Told::Sides(waiting, written) => drop(waiting.send(written)),
        }
    }
}

/// Writes one thing, or finds that it never can be: that costs only this one.
fn apply(
    transaction: &mut Transaction<'_>,
    publisher: &Publisher,
    pending: &mut Pending,
) -> Result<(Told, Option<Placement>), Fault> {
    let again = std::mem::replace(&mut pending.tried, true);
    let savepoint = transaction.savepoint()?;
    match apply_in(&savepoint, publisher, &pending.work, again) {
        Ok(applied) => {
            savepoint.commit()?;
            return Ok(applied);
        }
        Err(Fault::Refused(message)) => {
            tracing::error!(%message, "a write was refused");
            if !fail(&mut pending.work, &message) {
                return Ok((rejected(&pending.work, message), None));
            }
        }
        Err(trouble @ Fault::Trouble { .. }) => return Err(trouble),
    }
    drop(savepoint);
    let savepoint = transaction.savepoint()?;
    match apply_in(&savepoint, publisher, &pending.work, again) {
        Ok(applied) => savepoint.commit().map(|()| applied).map_err(Fault::from),
        Err(Fault::Refused(message)) => Ok((rejected(&pending.work, message), None)),
        Err(trouble) => Err(trouble),
    }
}

/// Turns a result that cannot be stored into a failure, which can: an answer that breaks a rule of the schema is its
/// capture's end. False for every other write.
fn fail(work: &mut Work, message: &str) -> bool {
    match work {
        Work::Write(Write::Finish(finish)) if finish.result.is_ok() => {
            let message = format!("the result cannot be stored: {message}");
            finish.result = Err(Failure { stage: "store".into(), plugin: None, message, transient: false });
            true
        }
        _ => false,
    }
}

/// What is said of work that never can be stored.
fn rejected(work: &Work, message: String) -> Told {
    match work {
        Work::Sides(planned) => Told::Sides(planned.written.clone(), Err(message)),
        Work::Write(Write::Correlations(_)) => Told::Engine(Receipt::Correlations(Err(message))),
        Work::Write(_) => Told::Engine(Receipt::Rejected { message }),
    }
}

fn apply_in(
    savepoint: &Savepoint<'_>,
    publisher: &Publisher,
    work: &Work,
    again: bool,
) -> Result<(Told, Option<Placement>), Fault> {
    let write = match work {
        Work::Write(write) => write,
        Work::Sides(Planned { plan, written }) => {
            split::write(savepoint, plan)?;
            return Ok((Told::Sides(written.clone(), Ok(())), None));
        }
    };
    let receipt = match write {
        Write::Finish(finish) => {
            let (receipt, placement) = finish::finish(savepoint, publisher, finish, again)?;
            return Ok((Told::Engine(receipt), placement));
        }
        Write::Split(settings) => return Ok((Told::Divider(Task::Divide(settings.clone())), None)),
        Write::Manifests => return Ok((Told::Divider(Task::Manifests), None)),
        Write::Sources(sources) => pipelines::sources(savepoint, sources)?,
        Write::Pipeline(change) => pipelines::change(savepoint, change)?,
        Write::SwapEnd(end) => swaps::end(savepoint, end)?,
        Write::Refused(refusal) => swaps::refused(savepoint, refusal)?,
        Write::Run(change) => runs::change(savepoint, change)?,
        Write::Mark(mark) => Receipt::Mark(*mark),
        Write::Settled => Receipt::Settled,
        Write::Admit(admissions) => admit::admit_all(savepoint, admissions)?,
        Write::Running(captures) => requeue::running(savepoint, captures)?,
        Write::Correlations(write) => correlations::write(savepoint, write)?,
        Write::Requeue(which) => requeue::requeue(savepoint, which)?,
        Write::Reviews(reviews) => reviews::add(savepoint, reviews)?,
        Write::Tidy(step) => tidy::step(savepoint, step)?,
        Write::KeepView(view) => views::keep(savepoint, view)?,
        Write::ForgetView(name) => views::forget(savepoint, name)?,
        Write::Alarm(step, alarm) => alarms::step(savepoint, *step, alarm)?,
    };
    Ok((Told::Engine(receipt), None))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crossbeam_channel::{bounded, unbounded};

    use super::*;
    use crate::{
        settings::{ImageLinks, Source},
        store::connect,
        workspace::DatasetPaths,
    };

    fn writer(paths: &DatasetPaths) -> (Writer, Receiver<Receipt>, Sender<()>) {
        let publisher = Publisher::new(paths, ImageLinks::Copy);
        let (outbox, receipts) = unbounded();
        let (open, held) = bounded(0);
        let divider = Divider::start(paths, outbox.clone()).unwrap();
        let connection = connect(paths).unwrap();
        (Writer::new(connection, publisher.unwrap(), divider, outbox, held, Duration::ZERO), receipts, open)
    }

    fn source(name: &str, path: &Path) -> Source {
        Source {
            name: name.into(),
            path: path.to_owned(),
            recursive: true,
            fibre: Some("x".repeat(100_000)),
            core_um: None,
            cladding_um: None,
            pixel_aspect: None,
            um_per_px: None,
            poll: false,
            name_pattern: None,
        }
    }

    #[test]
    fn a_full_disk_keeps_the_whole_batch_until_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let paths = DatasetPaths::at(folder.path());
        let (mut writer, receipts, _open) = writer(&paths);
        // SQLite itself refuses to grow the file, as it does on a full disk.
        let pages: i64 = writer.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        writer.connection.pragma_update(None, "max_page_count", pages + 2).unwrap();
        let sources = ["one", "two"].map(|name| source(name, folder.path()));
        let mut batch: Vec<Pending> =
            sources.iter().map(|source| Write::Sources(vec![source.clone()]).into()).collect();
        for _ in 0..2 {
            let Err(Fault::Trouble { hint, .. }) = writer.commit(&mut batch) else { panic!("the disk was not full") };
            assert!(hint.contains("room"), "{hint}");
        }
        writer.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
        let (_writes, inbox) = bounded(1);
        writer.store(&mut batch, &inbox).unwrap();
        assert_eq!(receipts.try_iter().collect::<Vec<_>>(), [Receipt::Sources, Receipt::Sources]);
        let stored: i64 = writer.connection.query_row("SELECT count(*) FROM sources", [], |row| row.get(0)).unwrap();
        assert_eq!(stored, 2);
    }

    #[test]
    fn a_full_or_read_only_disk_under_the_files_is_trouble_with_a_remedy() {
        for (errno, word) in [(28, "room"), (122, "room"), (30, "writable"), (5, "disk")] {
            let error = std::io::Error::from_raw_os_error(errno);
            let Fault::Trouble { hint, .. } = super::super::publish::trouble(Path::new("x"), &error) else {
                panic!("{errno} is no trouble");
            };
            assert!(hint.contains(word), "{errno}: {hint}");
        }
    }
}
