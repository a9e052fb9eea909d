-- 007_cached.sql -- what the response cache answered is counted beside what was paid for.

-- Answers of zero attempts; not among the requests.
ALTER TABLE job ADD COLUMN cached INTEGER NOT NULL DEFAULT 0;

UPDATE job SET cached = (SELECT count(*) FROM answer WHERE answer.job = job.id AND attempts = 0);
