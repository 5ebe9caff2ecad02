-- What the rows of `correlations` were made from, so that a later run does only what is new.

CREATE TABLE correlation_settings (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- As `ferrule correlate --grid` and `--mode` take them.
    grid TEXT NOT NULL,
    mode TEXT NOT NULL
) STRICT;

-- Images whose pairs are all there, each with the hash of the grid of gray levels that they were made from.
CREATE TABLE correlated (
    image_id  TEXT PRIMARY KEY REFERENCES images,
    grid_hash TEXT NOT NULL
) STRICT, WITHOUT ROWID;
