-- Every swap that was tried: what it changed, how it ended, how long it took. Pipelines that came into force or that
-- workers refused, and libraries that never came into a pipeline.
CREATE TABLE swaps_2 (
    swap_id     INTEGER PRIMARY KEY,
    at          TEXT NOT NULL,
    -- NULL, with the pipeline, for a library that was refused before it came into one.
    generation  INTEGER UNIQUE,
    pipeline_id TEXT REFERENCES pipelines,
    -- The refused library's path, escaped for display, and its build where it could be read.
    library     TEXT,
    build       TEXT,
    reason      TEXT NOT NULL,
    -- What differs from the pipeline in force before, as JSON: [{"what": "build", "slot", "plugin", "from", "to"}, …].
    changes     TEXT NOT NULL DEFAULT '[]',
    outcome     TEXT NOT NULL CHECK (outcome IN ('trying', 'in force', 'refused', 'superseded')),
    -- Why it was refused or superseded.
    refusal     TEXT,
    -- Until all workers ran it.
    took_ms     REAL,
    CHECK ((generation IS NULL) = (pipeline_id IS NULL)),
    CHECK ((generation IS NULL) = (library IS NOT NULL))
) STRICT;
-- Of earlier swaps nothing more is known than that they were made.
INSERT INTO swaps_2 (at, generation, pipeline_id, reason, outcome)
    SELECT at, generation, pipeline_id, reason, 'in force' FROM swaps ORDER BY generation;
DROP TABLE swaps;
ALTER TABLE swaps_2 RENAME TO swaps;
