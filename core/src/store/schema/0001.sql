-- The first schema. One rule: a table `inspection_…` keeps every inspection ever made; the view without that prefix
-- shows the current one of each image. Times are RFC 3339 in UTC, lists are JSON, masks are runs (y, x, length) of
-- little-endian u32. Coordinates: pixel centres are integers, y points down, angles turn from +x toward +y.

-- Where captures come from ------------------------------------------------------------------------------------------

CREATE TABLE sources (
    source_id    INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    path         BLOB NOT NULL,
    recursive    INTEGER NOT NULL,
    poll         INTEGER NOT NULL,
    fibre        TEXT,
    core_um      REAL,
    cladding_um  REAL,
    um_per_px    REAL,
    pixel_aspect REAL,
    name_pattern TEXT,
    watched      INTEGER NOT NULL DEFAULT 1,
    first_at     TEXT NOT NULL
) STRICT;

-- What a file held: known by its content, whether or not it turned out to be a picture.
CREATE TABLE contents (
    image_id TEXT PRIMARY KEY,
    bytes    INTEGER NOT NULL,
    first_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One version of a file.
CREATE TABLE captures (
    capture_id        INTEGER PRIMARY KEY,
    source_id         INTEGER NOT NULL REFERENCES sources,
    path              BLOB NOT NULL,
    dev               INTEGER NOT NULL,
    inode             INTEGER NOT NULL,
    size              INTEGER NOT NULL,
    mtime_ns          INTEGER NOT NULL,
    state             TEXT NOT NULL CHECK (state IN
                          ('settling', 'queued', 'running', 'done', 'duplicate', 'failed', 'ignored', 'replaced')),
    image_id          TEXT REFERENCES contents,
    duplicate_of      INTEGER REFERENCES captures,
    replaced_by       INTEGER REFERENCES captures,
    inspection_id     INTEGER REFERENCES inspections DEFERRABLE INITIALLY DEFERRED,
    failure_stage     TEXT,
    failure_plugin    TEXT,
    failure_message   TEXT,
    failure_transient INTEGER,
    job               TEXT,
    port              TEXT,
    side              TEXT,
    tags              TEXT NOT NULL DEFAULT '{}',
    attempts          INTEGER NOT NULL DEFAULT 0,
    seen_at           TEXT NOT NULL,
    done_at           TEXT,
    CHECK ((state = 'duplicate') = (duplicate_of IS NOT NULL) OR state = 'replaced'),
    CHECK (state NOT IN ('queued', 'running', 'done', 'duplicate') OR image_id IS NOT NULL)
) STRICT;
-- One live row a path; a file rewritten in place leaves its former row `replaced`.
CREATE UNIQUE INDEX captures_live_path ON captures (source_id, path) WHERE state <> 'replaced';
-- One live row a content; every other is its duplicate.
CREATE UNIQUE INDEX captures_live_image ON captures (image_id) WHERE state IN ('settling', 'queued', 'running', 'done', 'failed');
CREATE INDEX captures_state ON captures (state, capture_id);
CREATE INDEX captures_image ON captures (image_id) WHERE image_id IS NOT NULL;
CREATE INDEX captures_duplicate_of ON captures (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX captures_replaced_by ON captures (replaced_by) WHERE replaced_by IS NOT NULL;
CREATE INDEX captures_inspection ON captures (inspection_id) WHERE inspection_id IS NOT NULL;
CREATE INDEX captures_job ON captures (job, port, capture_id) WHERE job IS NOT NULL;

-- Captures by state, kept by triggers so that nobody ever counts a million rows.
CREATE TABLE capture_counts (
    state    TEXT PRIMARY KEY,
    captures INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO capture_counts VALUES ('settling', 0), ('queued', 0), ('running', 0), ('done', 0),
    ('duplicate', 0), ('failed', 0), ('ignored', 0), ('replaced', 0);
CREATE TRIGGER captures_counted AFTER INSERT ON captures BEGIN
    UPDATE capture_counts SET captures = captures + 1 WHERE state = NEW.state;
END;
CREATE TRIGGER captures_recounted AFTER UPDATE OF state ON captures WHEN OLD.state <> NEW.state BEGIN
    UPDATE capture_counts SET captures = captures - 1 WHERE state = OLD.state;
    UPDATE capture_counts SET captures = captures + 1 WHERE state = NEW.state;
END;
CREATE TRIGGER captures_uncounted AFTER DELETE ON captures BEGIN
    UPDATE capture_counts SET captures = captures - 1 WHERE state = OLD.state;
END;

-- Which plug-ins, in which builds, with which parameters ------------------------------------------------------------

CREATE TABLE plugins (
    plugin   TEXT NOT NULL,
    build    TEXT NOT NULL,
    version  TEXT NOT NULL,
    slot     TEXT NOT NULL,
    first_at TEXT NOT NULL,
    PRIMARY KEY (plugin, build, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE pipelines (
    pipeline_id TEXT PRIMARY KEY,
    -- Slots, plug-ins, builds, parameters and label rule as JSON; no path of this machine.
    content     TEXT NOT NULL,
    first_at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A pipeline's plug-ins one by one. Rows of an inspection name `id version`, which is unique within its pipeline.
CREATE TABLE pipeline_stages (
    pipeline_id TEXT NOT NULL REFERENCES pipelines,
    slot        TEXT NOT NULL,
    place       INTEGER NOT NULL,
    plugin      TEXT NOT NULL,
    version     TEXT NOT NULL,
    build       TEXT NOT NULL,
    parameters  TEXT NOT NULL,
    PRIMARY KEY (pipeline_id, slot, place),
    FOREIGN KEY (plugin, build, slot) REFERENCES plugins
) STRICT, WITHOUT ROWID;
CREATE INDEX pipeline_stages_plugin ON pipeline_stages (plugin, build, slot);

-- Which pipeline was in force when.
CREATE TABLE swaps (
    generation  INTEGER PRIMARY KEY,
    pipeline_id TEXT NOT NULL REFERENCES pipelines,
    reason      TEXT NOT NULL,
    at          TEXT NOT NULL
) STRICT;

-- What inspections said ---------------------------------------------------------------------------------------------

CREATE TABLE inspections (
    inspection_id     INTEGER PRIMARY KEY,
    image_id          TEXT NOT NULL REFERENCES contents,
    capture_id        INTEGER NOT NULL REFERENCES captures,
    -- Which giving to a worker this answers: one answer is never two rows.
    attempt           INTEGER NOT NULL,
    pipeline_id       TEXT NOT NULL REFERENCES pipelines,
    generation        INTEGER NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('done', 'failed')),
    at                TEXT NOT NULL,
    -- Plug-ins whose results are missing: [{"plugin", "reason"}]; '[]' for a complete inspection.
    incomplete        TEXT NOT NULL DEFAULT '[]',
    width             INTEGER,
    height            INTEGER,
    um_per_px         REAL,
    has_defect        INTEGER,
    defects           INTEGER,
    quality_score     REAL,
    quality_focus     REAL,
    quality_flags     TEXT NOT NULL DEFAULT '[]',
    verdict           TEXT,
    verdict_profile   TEXT,
    verdict_reason    TEXT,
    verdict_failed    TEXT NOT NULL DEFAULT '[]',
    ms_decode         REAL,
    ms_segment        REAL,
    ms_detect         REAL,
    ms_measure        REAL,
    ms_grade          REAL,
    ms_artefacts      REAL,
    failure_stage     TEXT,
    failure_plugin    TEXT,
    failure_message   TEXT,
    failure_transient INTEGER,
    UNIQUE (capture_id, attempt),
    CHECK ((state = 'failed') = (failure_message IS NOT NULL))
) STRICT;
CREATE INDEX inspections_image ON inspections (image_id, inspection_id);
CREATE INDEX inspections_pipeline ON inspections (pipeline_id);

-- The images of the dataset, each with its current inspection. The first nine columns are the source design's.
CREATE TABLE images (
    image_id         TEXT PRIMARY KEY REFERENCES contents,
    filename         TEXT NOT NULL UNIQUE,
    centre_x         REAL,
    centre_y         REAL,
    -- Radii in pixels, geometric mean of the semi-axes; the ferrule's is cut at the picture's edge.
    core_r           REAL,
    clad_r           REAL,
    ferrule_r        REAL,
    has_defect       INTEGER,
    split            TEXT CHECK (split IN ('train', 'val', 'test')),
    inspection_id    INTEGER NOT NULL REFERENCES inspections,
    -- The capture whose file gave the picture; it may be replaced since.
    capture_id       INTEGER NOT NULL REFERENCES captures,
    -- What the pipeline (or a classifier) said, whatever a person decided, and who said it.
    has_defect_found INTEGER,
    has_defect_by    TEXT,
    width            INTEGER NOT NULL,
    height           INTEGER NOT NULL,
    um_per_px        REAL,
    incomplete       INTEGER NOT NULL,
    quality_score    REAL,
    verdict          TEXT,
    first_at         TEXT NOT NULL
) STRICT;
CREATE INDEX images_label ON images (has_defect, capture_id);
CREATE INDEX images_verdict ON images (verdict, capture_id);
CREATE INDEX images_inspection ON images (inspection_id);
CREATE INDEX images_capture ON images (capture_id);
CREATE INDEX images_incomplete ON images (image_id) WHERE incomplete;

-- Files under masks/ and defects/ that belong to an image.
CREATE TABLE artefacts (
    image_id TEXT NOT NULL REFERENCES images,
    folder   TEXT NOT NULL CHECK (folder IN ('masks', 'defects')),
    name     TEXT NOT NULL,
    PRIMARY KEY (image_id, folder, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE inspection_zones (
    inspection_id INTEGER NOT NULL REFERENCES inspections,
    zone          TEXT NOT NULL,
    cx            REAL NOT NULL,
    cy            REAL NOT NULL,
    ax            REAL NOT NULL,
    by            REAL NOT NULL,
    angle_deg     REAL NOT NULL,
    confidence    REAL NOT NULL,
    PRIMARY KEY (inspection_id, zone)
) STRICT, WITHOUT ROWID;

CREATE TABLE inspection_defects (
    inspection_id INTEGER NOT NULL REFERENCES inspections,
    place         INTEGER NOT NULL,
    defect_id     TEXT NOT NULL,
    dtype         TEXT NOT NULL,
    severity      TEXT NOT NULL,
    x             REAL NOT NULL,
    y             REAL NOT NULL,
    area_px       INTEGER NOT NULL,
    confidence    REAL NOT NULL,
    zone          TEXT,
    box_x         INTEGER NOT NULL,
    box_y         INTEGER NOT NULL,
    box_width     INTEGER NOT NULL,
    box_height    INTEGER NOT NULL,
    length_px     REAL NOT NULL,
    width_px      REAL NOT NULL,
    angle_deg     REAL NOT NULL,
    plugin        TEXT NOT NULL,
    mask          BLOB NOT NULL,
    PRIMARY KEY (inspection_id, place)
) STRICT;

CREATE TABLE inspection_defect_parts (
    inspection_id INTEGER NOT NULL,
    defect        INTEGER NOT NULL,
    place         INTEGER NOT NULL,
    plugin        TEXT NOT NULL,
    dtype         TEXT NOT NULL,
    severity      TEXT NOT NULL,
    confidence    REAL NOT NULL,
    box_x         INTEGER NOT NULL,
    box_y         INTEGER NOT NULL,
    box_width     INTEGER NOT NULL,
    box_height    INTEGER NOT NULL,
    area_px       INTEGER NOT NULL,
    PRIMARY KEY (inspection_id, defect, place),
    FOREIGN KEY (inspection_id, defect) REFERENCES inspection_defects (inspection_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE inspection_features (
    inspection_id INTEGER NOT NULL REFERENCES inspections,
    place         INTEGER NOT NULL,
    region        TEXT NOT NULL,
    name          TEXT NOT NULL,
    value         REAL NOT NULL,
    unit          TEXT NOT NULL,
    plugin        TEXT NOT NULL,
    PRIMARY KEY (inspection_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE inspection_histograms (
    inspection_id INTEGER NOT NULL REFERENCES inspections,
    place         INTEGER NOT NULL,
    region        TEXT NOT NULL,
    name          TEXT NOT NULL,
    low           REAL NOT NULL,
    high          REAL NOT NULL,
    counts        TEXT NOT NULL,
    plugin        TEXT NOT NULL,
    PRIMARY KEY (inspection_id, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE inspection_verdicts (
    inspection_id INTEGER NOT NULL REFERENCES inspections,
    place         INTEGER NOT NULL,
    zone          TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    rule          TEXT NOT NULL,
    defects       TEXT NOT NULL,
    PRIMARY KEY (inspection_id, place)
) STRICT, WITHOUT ROWID;

-- The current inspections -------------------------------------------------------------------------------------------

-- Population standard deviation, linear percentiles, grey levels of 8 bits.
CREATE VIEW region_intensity (image_id, region, mean, std, min, max, p25, p50, p75, inspection_id) AS
SELECT i.image_id, f.region,
       max(f.value) FILTER (WHERE f.name = 'mean'), max(f.value) FILTER (WHERE f.name = 'std'),
       max(f.value) FILTER (WHERE f.name = 'min'),  max(f.value) FILTER (WHERE f.name = 'max'),
       max(f.value) FILTER (WHERE f.name = 'p25'),  max(f.value) FILTER (WHERE f.name = 'p50'),
       max(f.value) FILTER (WHERE f.name = 'p75'),  i.inspection_id
FROM images i CROSS JOIN inspection_features f USING (inspection_id)
WHERE f.name IN ('mean', 'std', 'min', 'max', 'p25', 'p50', 'p75')
GROUP BY i.image_id, f.region;

CREATE VIEW region_trend (image_id, region, grad_mean, grad_std, lap_mean, lap_std, pixel_count, local_variance, inspection_id) AS
SELECT i.image_id, f.region,
       max(f.value) FILTER (WHERE f.name = 'grad_mean'),   max(f.value) FILTER (WHERE f.name = 'grad_std'),
       max(f.value) FILTER (WHERE f.name = 'lap_mean'),    max(f.value) FILTER (WHERE f.name = 'lap_std'),
       max(f.value) FILTER (WHERE f.name = 'pixel_count'), max(f.value) FILTER (WHERE f.name = 'local_variance'),
       i.inspection_id
FROM images i CROSS JOIN inspection_features f USING (inspection_id)
WHERE f.name IN ('grad_mean', 'grad_std', 'lap_mean', 'lap_std', 'pixel_count', 'local_variance')
GROUP BY i.image_id, f.region;

CREATE VIEW defects (image_id, defect_id, dtype, severity, x, y, area_px, confidence, zone, box_x, box_y, box_width,
    box_height, length_px, width_px, angle_deg, plugin, mask, place, inspection_id) AS
SELECT i.image_id, d.defect_id, d.dtype, d.severity, d.x, d.y, d.area_px, d.confidence, d.zone, d.box_x, d.box_y,
       d.box_width, d.box_height, d.length_px, d.width_px, d.angle_deg, d.plugin, d.mask, d.place, d.inspection_id
FROM images i CROSS JOIN inspection_defects d USING (inspection_id);

CREATE VIEW defect_parts (image_id, defect_id, plugin, dtype, severity, confidence, box_x, box_y, box_width, box_height,
    area_px, place, inspection_id) AS
SELECT d.image_id, d.defect_id, p.plugin, p.dtype, p.severity, p.confidence, p.box_x, p.box_y, p.box_width, p.box_height,
       p.area_px, p.place, p.inspection_id
FROM defects d CROSS JOIN inspection_defect_parts p ON p.inspection_id = d.inspection_id AND p.defect = d.place;

CREATE VIEW zones (image_id, zone, cx, cy, ax, by, angle_deg, confidence, inspection_id) AS
SELECT i.image_id, z.zone, z.cx, z.cy, z.ax, z.by, z.angle_deg, z.confidence, z.inspection_id
FROM images i CROSS JOIN inspection_zones z USING (inspection_id);

CREATE VIEW features (image_id, region, name, value, unit, plugin, inspection_id) AS
SELECT i.image_id, f.region, f.name, f.value, f.unit, f.plugin, f.inspection_id
FROM images i CROSS JOIN inspection_features f USING (inspection_id);

CREATE VIEW region_histogram (image_id, region, name, low, high, counts, plugin, inspection_id) AS
SELECT i.image_id, h.region, h.name, h.low, h.high, h.counts, h.plugin, h.inspection_id
FROM images i CROSS JOIN inspection_histograms h USING (inspection_id);

CREATE VIEW verdicts (image_id, zone, outcome, rule, defects, profile, inspection_id) AS
SELECT i.image_id, v.zone, v.outcome, v.rule, v.defects, n.verdict_profile, v.inspection_id
FROM images i CROSS JOIN inspections n USING (inspection_id) CROSS JOIN inspection_verdicts v USING (inspection_id);

-- Pairs of images ---------------------------------------------------------------------------------------------------

CREATE TABLE correlations (
    image_id_a TEXT NOT NULL REFERENCES images (image_id),
    image_id_b TEXT NOT NULL REFERENCES images (image_id),
    pearson    REAL,
    spearman   REAL,
    PRIMARY KEY (image_id_a, image_id_b),
    CHECK (image_id_a < image_id_b)
) STRICT, WITHOUT ROWID;
CREATE INDEX correlations_b ON correlations (image_id_b);

-- What people and training say --------------------------------------------------------------------------------------

-- The latest row of a reviewer about an image, or about one defect in it, holds. A review of a defect carries its own
-- type, box and mask, so that it outlives the inspection that it was made on.
CREATE TABLE reviews (
    review_id     INTEGER PRIMARY KEY,
    image_id      TEXT NOT NULL REFERENCES images,
    inspection_id INTEGER REFERENCES inspections,
    reviewer      TEXT NOT NULL,
    at            TEXT NOT NULL,
    decision      TEXT NOT NULL,
    has_defect    INTEGER,
    defect_id     TEXT,
    dtype         TEXT,
    box_x         INTEGER,
    box_y         INTEGER,
    box_width     INTEGER,
    box_height    INTEGER,
    mask          BLOB,
    note          TEXT
) STRICT;
CREATE INDEX reviews_image ON reviews (image_id, review_id);
CREATE INDEX reviews_inspection ON reviews (inspection_id) WHERE inspection_id IS NOT NULL;

CREATE TABLE runs (
    run_id     TEXT PRIMARY KEY,
    task       TEXT NOT NULL,
    arch       TEXT NOT NULL,
    state      TEXT NOT NULL,
    settings   TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at   TEXT,
    best_epoch INTEGER,
    message    TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE epochs (
    run_id  TEXT NOT NULL REFERENCES runs,
    epoch   INTEGER NOT NULL,
    at      TEXT NOT NULL,
    seconds REAL NOT NULL,
    -- Losses and metrics by name.
    figures TEXT NOT NULL,
    PRIMARY KEY (run_id, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
    model_id TEXT PRIMARY KEY,
    run_id   TEXT REFERENCES runs,
    task     TEXT NOT NULL,
    arch     TEXT NOT NULL,
    path     BLOB NOT NULL,
    figures  TEXT NOT NULL,
    made_at  TEXT NOT NULL,
    deployed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX models_run ON models (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE alarms (
    alarm_id   INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL,
    message    TEXT NOT NULL,
    raised_at  TEXT NOT NULL,
    cleared_at TEXT,
    seen_by    TEXT
) STRICT;
