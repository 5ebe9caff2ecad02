-- Tidying: pictures that were removed, and files that are still to be removed.

-- The picture under images/ was tidied away: results stay, and the image is on no side of the split until it is back.
ALTER TABLE images ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;

-- Files whose rows are gone and that are not removed yet: written with the rows' end, so that a kill between the two leaves
-- no file that is nobody's.
CREATE TABLE doomed (
    folder TEXT NOT NULL CHECK (folder IN ('images', 'masks', 'defects')),
    name   TEXT NOT NULL,
    PRIMARY KEY (folder, name)
) STRICT, WITHOUT ROWID;
