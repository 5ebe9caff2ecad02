-- Images that were inspected more than once: where builds may disagree.
CREATE INDEX inspections_again ON inspections (inspection_id) WHERE attempt > 1 AND state = 'done';
