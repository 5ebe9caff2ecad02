-- Alarms by their rule, and when somebody acknowledged them.
ALTER TABLE alarms ADD COLUMN rule TEXT NOT NULL DEFAULT '';
ALTER TABLE alarms ADD COLUMN seen_at TEXT;
ALTER TABLE alarms ADD COLUMN bell INTEGER NOT NULL DEFAULT 0;
CREATE INDEX alarms_unseen ON alarms (alarm_id) WHERE seen_by IS NULL;
