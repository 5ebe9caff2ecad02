-- A file's name as it is shown: on one line, nothing in it that a terminal would obey (core/src/names.rs).
ALTER TABLE captures ADD COLUMN shown TEXT NOT NULL DEFAULT '';
