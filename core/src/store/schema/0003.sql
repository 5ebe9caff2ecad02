-- Training sets: which side of the split an image is on and why, what it looks like, whose word its label is.

-- The plain name that a capture's picture would have under images/. The first live capture with a name has a claim to it,
-- whichever of them is inspected first.
ALTER TABLE captures ADD COLUMN name TEXT;
CREATE INDEX captures_name ON captures (name, capture_id) WHERE name IS NOT NULL;

-- The side that an image was given. It keeps it while `split` is NULL because there is no label, and gets it back.
ALTER TABLE images ADD COLUMN side TEXT CHECK (side IN ('train', 'val', 'test'));
-- The first image of the group of near-duplicates that this one was found to belong to; NULL for the first one itself.
ALTER TABLE images ADD COLUMN near_of TEXT REFERENCES images (image_id);
-- How alike the two are: the share of this image's detail that the first one does not have, 0 to 1.
ALTER TABLE images ADD COLUMN near_residual REAL;
-- Near-duplicates were looked for.
ALTER TABLE images ADD COLUMN near_sought INTEGER NOT NULL DEFAULT 0;
CREATE INDEX images_near_of ON images (near_of) WHERE near_of IS NOT NULL;
CREATE INDEX images_split ON images (split, has_defect);
-- Those that may have to be given a side.
CREATE INDEX images_open ON images (image_id) WHERE near_sought = 0 OR (side IS NULL AND has_defect IS NOT NULL);

-- What an image looks like, small and without what all of its kind have in common (core/src/dataset/fingerprint.rs).
CREATE TABLE fingerprints (
    image_id TEXT PRIMARY KEY REFERENCES images,
    hash     BLOB NOT NULL,
    grid     BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What the splits were made with, for whoever asks: one row.
CREATE TABLE split_settings (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    train    REAL NOT NULL,
    val      REAL NOT NULL,
    seed     INTEGER NOT NULL,
    group_by TEXT NOT NULL
) STRICT;

-- Which defect of the image's current inspection a review of a defect means; no row where it is found no more.
CREATE TABLE review_matches (
    review_id INTEGER PRIMARY KEY REFERENCES reviews,
    defect_id TEXT NOT NULL,
    -- Intersection over union, of the masks or, without them, of the boxes.
    overlap   REAL NOT NULL
) STRICT;
CREATE INDEX reviews_reviewer ON reviews (image_id, defect_id, reviewer, review_id);
