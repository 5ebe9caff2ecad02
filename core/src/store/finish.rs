//! The end of a job: its files, then its rows, all or nothing. One answer is never two rows.

use rusqlite::{Connection, OptionalExtension, Savepoint, params};

use super::{
    label, near,
    pipelines::now,
    publish::{Placement, PublishError, Publisher, folder_name},
    reader::{image_from, key_from, path_from, state_from},
    reviews, save,
    write::{Finish, Finished, Receipt},
    writer::Fault,
};
use crate::{
    ids::{CaptureId, ImageId},
    ingest::FileKey,
    names,
    report::{CaptureState, Failure, Inspection, PIPELINE, classified},
    worker::messages::{ArtefactFolder, StagedFile},
};

/// The capture that was answered for.
struct Asked {
    state: CaptureState,
    attempts: i64,
    image: Option<ImageId>,
    key: FileKey,
    source: String,
    path: std::path::PathBuf,
}

/// Stores an answer, if it is wanted.
pub(super) fn finish(
    savepoint: &Savepoint<'_>,
    publisher: &Publisher,
    finish: &Finish,
    again: bool,
) -> Result<(Receipt, Option<Placement>), Fault> {
    let unwanted = || {
        let mut placement = Placement::default();
        publisher.leave_in_staging(&mut placement, finish.staging.as_deref(), &finish.artefacts);
        placement
    };
    let dropped = || Ok((Receipt::Dropped(finish.capture), Some(unwanted())));
    let Some(asked) = asked(savepoint, finish.capture)? else { return dropped() };
    match asked.state {
        _ if asked.image != Some(finish.image) => return dropped(),
        CaptureState::Running => {}
        CaptureState::Replaced => {
            keep_history(savepoint, finish, &asked)?;
            return dropped();
        }
        _ => return dropped(),
    }
    let mut placement = Placement::default();
    let result = match &finish.result {
        Ok(inspection) if inspection.image_id != finish.image => {
            placement = unwanted();
            Err(wrong_image(inspection))
        }
        Ok(inspection) => match publish(savepoint, publisher, finish, &asked, again, &mut placement) {
            Ok(filename) => Ok((inspection, filename)),
            Err(PublishError::Capture(failure)) => {
                placement = unwanted();
                Err(failure)
            }
            Err(PublishError::Disk(fault)) => return Err(fault),
        },
        Err(failure) => Err(failure.clone()),
    };
    let finished = match result {
        Ok((inspection, filename)) => done(savepoint, finish, &asked, inspection, &filename)?,
        Err(failure) => failed(savepoint, finish, asked, failure)?,
    };
    Ok((Receipt::Finished(Box::new(finished)), Some(placement)))
}

fn asked(connection: &Connection, capture: CaptureId) -> Result<Option<Asked>, Fault> {
    let row = connection
        .prepare_cached(
            "SELECT c.state, c.attempts, c.image_id, c.dev, c.inode, c.size, c.mtime_ns, s.name, c.path
             FROM captures c JOIN sources s USING (source_id) WHERE c.capture_id = ?1",
        )?
        .query_row([capture.0], |row| {
            Ok(Asked {
                state: state_from(row, 0)?,
                attempts: row.get(1)?,
                image: image_from(row, 2)?,
                key: key_from(row, 3)?,
                source: row.get(7)?,
                path: path_from(row, 8)?,
            })
        })
        .optional()?;
    Ok(row)
}

/// The file was rewritten while it was inspected: what was said of it stays in the history, without files.
fn keep_history(connection: &Connection, finish: &Finish, asked: &Asked) -> Result<(), Fault> {
    let known: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM inspections WHERE capture_id = ?1 AND attempt = ?2)")?
        .query_row([finish.capture.0, asked.attempts], |row| row.get(0))?;
    if !known && asked.attempts > 0 {
        save::insert(connection, finish, asked.attempts, finish.result.as_ref(), &now())?;
    }
    Ok(())
}

/// Makes the result's files ready; returns the picture's name under `images/`.
fn publish(
    connection: &Connection,
    publisher: &Publisher,
    finish: &Finish,
    asked: &Asked,
    again: bool,
    placement: &mut Placement,
) -> Result<String, PublishError> {
    let database = |error: rusqlite::Error| PublishError::Disk(error.into());
    let image = finish.image.to_string();
    let former: Option<String> = connection
        .prepare_cached("SELECT filename FROM images WHERE image_id = ?1")
        .and_then(|mut select| select.query_row([&image], |row| row.get(0)).optional())
        .map_err(database)?;
    let filename = match former {
        Some(filename) if publisher.has_picture(&filename) => filename,
        former => {
            let filename = former.map_or_else(|| free_name(connection, finish), Ok).map_err(database)?;
            publisher.picture(placement, &finish.source_file, &asked.key, finish.image, &filename)?;
            filename
        }
    };
    if let Some(staging) = &finish.staging {
        publisher.artefacts(placement, staging, &finish.artefacts, finish.image, again)?;
    }
    for (folder, name) in former_artefacts(connection, &image).map_err(database)? {
        if !finish.artefacts.iter().any(|file| file.folder == folder && file.name == name) {
            publisher.stale(placement, folder, &name);
        }
    }
    Ok(filename)
}

/// The plain name if no other image has it and no earlier capture a claim to it, else one with the image's id. So it does
/// not depend on which of two captures is inspected first.
fn free_name(connection: &Connection, finish: &Finish) -> Result<String, rusqlite::Error> {
    let own = names::own_suffix(finish.image);
    // The numbered ones are for a person who names a file like another image's own name.
    let suffixes = [String::new(), own.clone()].into_iter().chain((2..).map(|n| format!("{own}-{n}")));
    let mut taken = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM images WHERE filename = ?1) OR EXISTS (
             SELECT 1 FROM captures WHERE name = ?1 AND capture_id < ?2 AND state IN ('queued', 'running', 'done', 'failed'))",
    )?;
    for name in suffixes.map(|suffix| names::image_filename(&finish.source_file, &suffix)) {
        if !taken.query_row(params![name, finish.capture.0], |row| row.get::<_, bool>(0))? {
            return Ok(name);
        }
    }
    Ok(finish.image.to_string())
}

fn former_artefacts(connection: &Connection, image: &str) -> Result<Vec<(ArtefactFolder, String)>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT folder, name FROM artefacts WHERE image_id = ?1")?
        .query_map([image], |row| {
            let folder = if row.get_ref(0)?.as_str()? == folder_name(ArtefactFolder::Masks) {
                ArtefactFolder::Masks
            } else {
                ArtefactFolder::Defects
            };
            Ok((folder, row.get(1)?))
        })?
        .collect()
}

fn done(
    connection: &Connection,
    finish: &Finish,
    asked: &Asked,
    inspection: &Inspection,
    filename: &str,
) -> Result<Finished, Fault> {
    let at = now();
    let row = save::insert(connection, finish, asked.attempts, Ok(inspection), &at)?;
    let has_defect = make_current(connection, finish, inspection, filename, row, &at)?;
    reviews::renew_matches(connection, finish.image)?;
    note_artefacts(connection, finish.image, &finish.artefacts)?;
    if let Some(fingerprint) = &finish.fingerprint {
        near::note(connection, finish.image, fingerprint)?;
    }
    connection
        .prepare_cached(
            "UPDATE captures SET state = 'done', inspection_id = ?2, done_at = ?3, failure_stage = NULL,
                 failure_plugin = NULL, failure_message = NULL, failure_transient = NULL WHERE capture_id = ?1",
        )?
        .execute(params![finish.capture.0, row, at])?;
    Ok(Finished {
        capture: finish.capture,
        source: asked.source.clone(),
        path: asked.path.clone(),
        image: finish.image,
        state: CaptureState::Done,
        has_defect,
        verdict: Some(inspection.verdict.overall),
        defects: u32::try_from(inspection.defects.len()).ok(),
        incomplete: inspection.incomplete.iter().map(|missing| missing.plugin.clone()).collect(),
        failure: None,
        ms: Some(inspection.ms.total()),
    })
}

/// A failed re-inspection leaves the former result in force.
fn failed(connection: &Connection, finish: &Finish, asked: Asked, failure: Failure) -> Result<Finished, Fault> {
    let at = now();
    save::insert(connection, finish, asked.attempts, Err(&failure), &at)?;
    connection
        .prepare_cached(
            "UPDATE captures SET state = 'failed', done_at = ?2, failure_stage = ?3, failure_plugin = ?4,
                 failure_message = ?5, failure_transient = ?6 WHERE capture_id = ?1",
        )?
        .execute(params![finish.capture.0, at, failure.stage, failure.plugin, failure.message, failure.transient])?;
    Ok(Finished {
        capture: finish.capture,
        source: asked.source,
        path: asked.path,
        image: finish.image,
        state: CaptureState::Failed,
        has_defect: None,
        verdict: None,
        defects: None,
        incomplete: Vec::new(),
        failure: Some(failure),
        ms: None,
    })
}

/// Makes this inspection the image's current one; returns its label, a person's before the pipeline's.
fn make_current(
    connection: &Connection,
    finish: &Finish,
    inspection: &Inspection,
    filename: &str,
    row: i64,
    at: &str,
) -> Result<Option<bool>, Fault> {
    let zones = &inspection.zones;
    let middle = zones.cladding.or(zones.core);
    let mut upsert = connection.prepare_cached(
        "INSERT INTO images (image_id, filename, centre_x, centre_y, core_r, clad_r, ferrule_r, has_defect,
             inspection_id, capture_id, has_defect_found, has_defect_by, width, height, um_per_px, incomplete,
             quality_score, verdict, first_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?8, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (image_id) DO UPDATE SET centre_x = excluded.centre_x, centre_y = excluded.centre_y,
             core_r = excluded.core_r, clad_r = excluded.clad_r, ferrule_r = excluded.ferrule_r,
             has_defect = excluded.has_defect, inspection_id = excluded.inspection_id,
             capture_id = excluded.capture_id, has_defect_found = excluded.has_defect_found,
             has_defect_by = excluded.has_defect_by, width = excluded.width, height = excluded.height,
             um_per_px = excluded.um_per_px, incomplete = excluded.incomplete,
             quality_score = excluded.quality_score, verdict = excluded.verdict, gone = 0",
    )?;
    let image = finish.image.to_string();
    upsert.execute(params![
        image,
        filename,
        middle.map(|outline| outline.cx),
        middle.map(|outline| outline.cy),
        zones.core.map(|outline| outline.mean_radius()),
        zones.cladding.map(|outline| outline.mean_radius()),
        ferrule_radius(inspection),
        inspection.has_defect,
        row,
        finish.capture.0,
        inspection.has_defect.map(|_| classified(&inspection.features).map_or(PIPELINE, |said| said.plugin.as_str())),
        inspection.width,
        inspection.height,
        inspection.um_per_px,
        !inspection.incomplete.is_empty(),
        inspection.quality.score,
        inspection.verdict.overall.as_str(),
        at,
    ])?;
    label::settle(connection, &image)
}

/// Outer radius of the contact zone. Where no outline says it the ferrule fills the picture; in either case it ends at the
/// edge of the picture that is farthest from the centre.
fn ferrule_radius(inspection: &Inspection) -> Option<f64> {
    let zones = &inspection.zones;
    let middle = zones.cladding.or(zones.core)?;
    let (right, bottom) = (f64::from(inspection.width) - 1.0, f64::from(inspection.height) - 1.0);
    let edge = [middle.cx, right - middle.cx, middle.cy, bottom - middle.cy].into_iter().fold(0.0, f64::max);
    Some(zones.ferrule.map_or(edge, |outline| outline.mean_radius().min(edge)))
}

fn note_artefacts(connection: &Connection, image: ImageId, files: &[StagedFile]) -> Result<(), Fault> {
    let image = image.to_string();
    connection.prepare_cached("DELETE FROM artefacts WHERE image_id = ?1")?.execute([&image])?;
    let mut insert = connection.prepare_cached("INSERT INTO artefacts (image_id, folder, name) VALUES (?1, ?2, ?3)")?;
    for file in files {
        insert.execute(params![image, folder_name(file.folder), file.name])?;
    }
    Ok(())
}

fn wrong_image(inspection: &Inspection) -> Failure {
    Failure {
        stage: "worker".into(),
        plugin: None,
        message: format!("the worker answered for another image ({})", inspection.image_id),
        transient: true,
    }
}
