-- Rows for tests and benches of lists, written in bulk: ROWS captures, every seventh failed, the others inspected. Names,
-- jobs, figures and defects repeat with periods that have no common measure, so that every filter finds something.
BEGIN;
INSERT INTO sources (name, path, recursive, poll, first_at) VALUES ('bench', CAST('/captures' AS BLOB), 1, 0, '2026-10-01T00:00:00Z');
INSERT INTO sources (name, path, recursive, poll, first_at) VALUES ('Annex', CAST('/annex' AS BLOB), 1, 0, '2026-10-01T00:00:00Z');
INSERT INTO pipelines (pipeline_id, content, first_at) VALUES ('filled', '{}', '2026-10-01T00:00:00Z');
CREATE TEMP TABLE numbers (n INTEGER PRIMARY KEY, image TEXT, done INTEGER);
WITH RECURSIVE counting (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counting WHERE n < ROWS)
INSERT INTO numbers SELECT n, printf('%08x%08x', (n * 2654435761) & 0xFFFFFFFF, n), n % 7 <> 0 FROM counting;
INSERT INTO contents (image_id, bytes, first_at) SELECT image, 900000 + n % 300000, '2026-11-01T00:00:00Z' FROM numbers;
INSERT INTO captures (source_id, path, dev, inode, size, mtime_ns, state, image_id, failure_stage, failure_message,
    failure_transient, job, port, side, tags, seen_at, name, shown)
SELECT 1 + (n % 11 = 0), CAST(printf('/captures/%04d/FT%d-%07d.png', n / 1000, 2 + n % 3, n) AS BLOB), 1, n,
    900000 + (n * 7919) % 1300000, 0, iif(done, 'done', 'failed'), image, iif(done, NULL, 'decode'),
    iif(done, NULL, 'the file ends in the middle of the picture'), iif(done, NULL, 0),
    printf('A%d', n / 480), (n / 2) % 240, iif(n % 2, 'A', 'B'),
    json_object('job', printf('A%d', n / 480), 'port', CAST((n / 2) % 240 AS TEXT), 'side', iif(n % 2, 'A', 'B')),
    strftime('%Y-%m-%dT%H:%M:%SZ', 1790000000 + n, 'unixepoch'), printf('FT%d-%07d.png', 2 + n % 3, n),
    printf('FT%d-%07d.png', 2 + n % 3, n)
FROM numbers ORDER BY n;
INSERT INTO inspections (inspection_id, image_id, capture_id, attempt, pipeline_id, generation, state, at, width, height,
    has_defect, defects, quality_score, quality_focus, verdict, ms_decode, ms_segment, ms_detect, ms_measure, ms_grade,
    ms_artefacts)
SELECT n, image, n, 1, 'filled', 1, 'done', '2026-11-01T00:00:00Z', 1152, 864, n % 5 = 0, n % 5, 20 + (n * 31) % 80,
    0.5 + (n % 50) / 100.0, CASE n % 5 WHEN 0 THEN 'fail' WHEN 1 THEN 'not graded' ELSE 'pass' END, 5 + n % 3, 2, 8 + (n * 13) % 190,
    1, 0.1, 3
FROM numbers WHERE done ORDER BY n;
INSERT INTO inspection_defects (inspection_id, place, defect_id, dtype, severity, x, y, area_px, confidence, zone, box_x,
    box_y, box_width, box_height, length_px, width_px, angle_deg, plugin, mask)
SELECT n, p.place, image || '-' || p.place,
    CASE (n + p.place) % 97 WHEN 0 THEN 'chip' WHEN 1 THEN 'residue' ELSE CASE (n + p.place) % 3 WHEN 0 THEN 'scratch'
        WHEN 1 THEN 'pit' ELSE 'particle' END END,
    CASE (n * 3 + p.place) % 11 WHEN 0 THEN 'CRITICAL' WHEN 1 THEN 'HIGH' WHEN 2 THEN 'MEDIUM' ELSE 'LOW' END,
    500, 400, 40, ((n * 17 + p.place * 29) % 100) / 100.0,
    CASE (n + 2 * p.place) % 13 WHEN 0 THEN 'core' WHEN 1 THEN NULL WHEN 2 THEN 'adhesive' ELSE iif(n % 2, 'cladding', 'ferrule') END,
    495, 395, 10, 10, 12.0, 3.0, 0.0, iif((n + p.place) % 3 = 0, 'detect-scratch 1.0.0', 'detect-region 1.2.0'), x''
FROM numbers JOIN (SELECT 0 AS place UNION ALL SELECT 1 UNION ALL SELECT 2) p ON p.place < n % 5 WHERE done;
INSERT INTO images (image_id, filename, centre_x, centre_y, core_r, clad_r, ferrule_r, has_defect, split, inspection_id,
    capture_id, has_defect_found, has_defect_by, width, height, um_per_px, incomplete, quality_score, verdict, first_at, side)
SELECT i.image_id, printf('FT%d-%07d.png', 2 + i.capture_id % 3, i.capture_id), 576, 432, 20, 180, 400, i.has_defect,
    CASE i.capture_id % 20 WHEN 0 THEN 'test' WHEN 1 THEN 'test' WHEN 2 THEN 'val' WHEN 3 THEN 'val' ELSE 'train' END,
    i.inspection_id, i.capture_id, i.has_defect, 'pipeline', 1152, 864, 0.35, i.capture_id % 101 = 0, i.quality_score,
    i.verdict, i.at, NULL
FROM inspections i ORDER BY i.inspection_id;
INSERT INTO reviews (image_id, inspection_id, reviewer, at, decision, has_defect)
SELECT image, n, 'somebody', '2026-11-02T00:00:00Z', 'clean', 0 FROM numbers WHERE done AND n % 103 = 0;
DROP TABLE numbers;
COMMIT;
