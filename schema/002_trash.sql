-- 002_trash.sql -- what nobody needs any more can be found.

-- Data files are put before the job that names them. 1: a sweep met it without any job; the
-- next one takes it away. Put again, it is 0.
ALTER TABLE blob ADD COLUMN idle INTEGER NOT NULL DEFAULT 0;

-- Retention asks for the jobs that ended first.
CREATE INDEX job_by_end ON job (ended_us) WHERE ended_us > 0;
