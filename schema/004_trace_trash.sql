-- 004_trace_trash.sql -- a resume without one eigendecomposition per generation; a trash for jobs.

-- What closing the generation taught the optimiser by way of its eigenbasis: cma_trace().
-- NULL: open, or before the snapshot, or closed by an older version (told again in full).
ALTER TABLE gen ADD COLUMN trace BLOB;

-- > 0: in the trash since then. `state` is what it comes back to.
ALTER TABLE job ADD COLUMN deleted_us INTEGER NOT NULL DEFAULT 0;
CREATE INDEX job_by_trash ON job (deleted_us) WHERE deleted_us > 0;
