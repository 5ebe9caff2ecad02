-- Lists of captures, filtered and sorted by any column, over any number of rows: one narrow row a capture, kept current by
-- triggers in the transaction that changes what it says, so that a page never has to look into wide tables to choose rows.
-- Nothing is NULL, so that every order has an index and a key to go on from: '' and -1 stand for "has none".

CREATE TABLE listing (
    capture_id    INTEGER PRIMARY KEY REFERENCES captures,
    source        TEXT NOT NULL COLLATE NOCASE,
    name          TEXT NOT NULL COLLATE NOCASE,
    seen_at       TEXT NOT NULL,
    state         TEXT NOT NULL,
    size          INTEGER NOT NULL,
    job           TEXT NOT NULL COLLATE NOCASE,
    port          TEXT NOT NULL COLLATE NOCASE,
    side          TEXT NOT NULL COLLATE NOCASE,
    -- What is known of its content, whichever capture was inspected.
    label         INTEGER NOT NULL,
    verdict       TEXT NOT NULL,
    split         TEXT NOT NULL,
    incomplete    INTEGER NOT NULL,
    reviewed      INTEGER NOT NULL,
    inspection_id INTEGER,
    defects       INTEGER NOT NULL,
    quality       REAL NOT NULL,
    ms            REAL NOT NULL,
    -- Of its defects: the highest confidence, the worst severity (0 negligible … 4 critical), and a bit for each pair of
    -- type and zone that one of them has (bit 5 × type + zone; 0 no zone, 1 core … 4 ferrule; core/src/store/listing).
    confidence    REAL NOT NULL,
    severity      INTEGER NOT NULL,
    found         INTEGER NOT NULL
) STRICT;

-- A defect's figures as the list has them.
CREATE VIEW listed_defects (inspection_id, confidence, severity, found) AS
SELECT inspection_id, confidence,
       CASE severity WHEN 'NEGLIGIBLE' THEN 0 WHEN 'LOW' THEN 1 WHEN 'MEDIUM' THEN 2 WHEN 'HIGH' THEN 3
           WHEN 'CRITICAL' THEN 4 ELSE -1 END,
       1 << (5 * CASE dtype WHEN 'scratch' THEN 0 WHEN 'pit' THEN 1 WHEN 'chip' THEN 2 WHEN 'particle' THEN 3
           WHEN 'residue' THEN 4 WHEN 'anomaly' THEN 5 ELSE 6 END
         + CASE zone WHEN 'core' THEN 1 WHEN 'cladding' THEN 2 WHEN 'adhesive' THEN 3 WHEN 'ferrule' THEN 4 ELSE 0 END)
FROM inspection_defects;

-- What a capture's row in the list says.
CREATE VIEW listed AS
SELECT c.capture_id, s.name AS source, c.shown AS name, c.seen_at, c.state, c.size, coalesce(c.job, '') AS job,
       coalesce(c.port, '') AS port, coalesce(c.side, '') AS side, coalesce(i.has_defect, -1) AS label,
       coalesce(i.verdict, '') AS verdict, coalesce(i.split, '') AS split, coalesce(i.incomplete, 0) AS incomplete,
       coalesce((SELECT r.has_defect IS NOT NULL FROM reviews r WHERE r.image_id = c.image_id AND r.defect_id IS NULL
           ORDER BY r.review_id DESC LIMIT 1), 0) AS reviewed,
       i.inspection_id, coalesce(n.defects, -1) AS defects, coalesce(i.quality_score, -1.0) AS quality,
       coalesce(n.ms_decode + n.ms_segment + n.ms_detect + n.ms_measure + n.ms_grade + n.ms_artefacts, -1.0) AS ms,
       coalesce((SELECT max(confidence) FROM listed_defects d WHERE d.inspection_id = i.inspection_id), -1.0) AS confidence,
       coalesce((SELECT max(severity) FROM listed_defects d WHERE d.inspection_id = i.inspection_id), -1) AS severity,
       coalesce((SELECT sum(DISTINCT found) FROM listed_defects d WHERE d.inspection_id = i.inspection_id), 0) AS found
FROM captures c JOIN sources s USING (source_id) LEFT JOIN images i ON i.image_id = c.image_id
LEFT JOIN inspections n ON n.inspection_id = i.inspection_id;

INSERT INTO listing (capture_id, source, name, seen_at, state, size, job, port, side, label, verdict, split, incomplete,
    reviewed, inspection_id, defects, quality, ms, confidence, severity, found)
SELECT capture_id, source, name, seen_at, state, size, job, port, side, label, verdict, split, incomplete, reviewed,
    inspection_id, defects, quality, ms, confidence, severity, found FROM listed ORDER BY capture_id;

CREATE INDEX listing_source ON listing (source, capture_id);
CREATE INDEX listing_name ON listing (name, capture_id);
CREATE INDEX listing_seen ON listing (seen_at);
CREATE INDEX listing_state ON listing (state, capture_id);
CREATE INDEX listing_size ON listing (size, capture_id);
CREATE INDEX listing_job ON listing (job, capture_id);
CREATE INDEX listing_port ON listing (port, capture_id);
CREATE INDEX listing_side ON listing (side, capture_id);
CREATE INDEX listing_label ON listing (label, capture_id);
CREATE INDEX listing_verdict ON listing (verdict, capture_id);
CREATE INDEX listing_split ON listing (split, capture_id);
CREATE INDEX listing_defects ON listing (defects, capture_id);
CREATE INDEX listing_quality ON listing (quality, capture_id);
CREATE INDEX listing_ms ON listing (ms, capture_id);
CREATE INDEX listing_confidence ON listing (confidence, capture_id);
CREATE INDEX listing_severity ON listing (severity, capture_id);
CREATE INDEX listing_inspection ON listing (inspection_id) WHERE inspection_id IS NOT NULL;
CREATE INDEX listing_incomplete ON listing (capture_id) WHERE incomplete;
CREATE INDEX listing_reviewed ON listing (capture_id) WHERE reviewed;

-- Parts of names, by the three characters that they hold. Without positions: what holds all trigrams of a text is looked at.
CREATE VIRTUAL TABLE listing_names USING fts5 (
    name, content = 'listing', content_rowid = 'capture_id', tokenize = 'trigram', detail = 'none', columnsize = 0
);
INSERT INTO listing_names (listing_names) VALUES ('rebuild');

-- Defects of a type in a zone, and of a plug-in, where few have them.
CREATE INDEX inspection_defects_kind ON inspection_defects (dtype, zone, inspection_id);
CREATE INDEX inspection_defects_zone ON inspection_defects (zone, inspection_id);
CREATE INDEX inspection_defects_plugin ON inspection_defects (plugin, inspection_id);
CREATE INDEX inspection_defect_parts_plugin ON inspection_defect_parts (plugin, inspection_id);

CREATE TRIGGER listing_added AFTER INSERT ON captures BEGIN
    INSERT INTO listing (capture_id, source, name, seen_at, state, size, job, port, side, label, verdict, split,
        incomplete, reviewed, inspection_id, defects, quality, ms, confidence, severity, found)
    SELECT capture_id, source, name, seen_at, state, size, job, port, side, label, verdict, split, incomplete, reviewed,
        inspection_id, defects, quality, ms, confidence, severity, found FROM listed WHERE capture_id = NEW.capture_id;
    INSERT INTO listing_names (rowid, name) VALUES (NEW.capture_id, NEW.shown);
END;
CREATE TRIGGER listing_removed AFTER DELETE ON captures BEGIN
    INSERT INTO listing_names (listing_names, rowid, name) VALUES ('delete', OLD.capture_id, OLD.shown);
    DELETE FROM listing WHERE capture_id = OLD.capture_id;
END;
CREATE TRIGGER listing_state_changed AFTER UPDATE OF state ON captures WHEN OLD.state <> NEW.state BEGIN
    UPDATE listing SET state = NEW.state WHERE capture_id = NEW.capture_id;
END;
CREATE TRIGGER listing_content_changed AFTER UPDATE OF image_id ON captures WHEN OLD.image_id IS NOT NEW.image_id BEGIN
    UPDATE listing SET (label, verdict, split, incomplete, reviewed, inspection_id, defects, quality, ms, confidence,
        severity, found) = (SELECT label, verdict, split, incomplete, reviewed, inspection_id, defects, quality, ms,
            confidence, severity, found FROM listed l WHERE l.capture_id = NEW.capture_id)
    WHERE capture_id = NEW.capture_id;
END;
CREATE TRIGGER listing_inspected AFTER INSERT ON images BEGIN
    UPDATE listing SET (label, verdict, split, incomplete, reviewed, inspection_id, defects, quality, ms, confidence,
        severity, found) = (SELECT label, verdict, split, incomplete, reviewed, inspection_id, defects, quality, ms,
            confidence, severity, found FROM listed l WHERE l.capture_id = listing.capture_id)
    WHERE capture_id IN (SELECT capture_id FROM captures WHERE image_id = NEW.image_id);
END;
CREATE TRIGGER listing_inspected_again AFTER UPDATE OF inspection_id ON images
WHEN OLD.inspection_id <> NEW.inspection_id BEGIN
    UPDATE listing SET (label, verdict, split, incomplete, reviewed, inspection_id, defects, quality, ms, confidence,
        severity, found) = (SELECT label, verdict, split, incomplete, reviewed, inspection_id, defects, quality, ms,
            confidence, severity, found FROM listed l WHERE l.capture_id = listing.capture_id)
    WHERE capture_id IN (SELECT capture_id FROM captures WHERE image_id = NEW.image_id);
END;
CREATE TRIGGER listing_labelled AFTER UPDATE OF has_defect ON images WHEN OLD.has_defect IS NOT NEW.has_defect BEGIN
    UPDATE listing SET label = coalesce(NEW.has_defect, -1)
    WHERE capture_id IN (SELECT capture_id FROM captures WHERE image_id = NEW.image_id);
END;
CREATE TRIGGER listing_divided AFTER UPDATE OF split ON images WHEN OLD.split IS NOT NEW.split BEGIN
    UPDATE listing SET split = coalesce(NEW.split, '')
    WHERE capture_id IN (SELECT capture_id FROM captures WHERE image_id = NEW.image_id);
END;
CREATE TRIGGER listing_reviewed AFTER INSERT ON reviews WHEN NEW.defect_id IS NULL BEGIN
    UPDATE listing SET reviewed = NEW.has_defect IS NOT NULL
    WHERE capture_id IN (SELECT capture_id FROM captures WHERE image_id = NEW.image_id);
END;

-- Views of the list that people saved.
CREATE TABLE views (
    name    TEXT PRIMARY KEY,
    filter  TEXT NOT NULL,
    sort    TEXT NOT NULL,
    columns TEXT NOT NULL,
    at      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
