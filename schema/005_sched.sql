-- 005_sched.sql -- limits, rests and pauses that a restart must not forget.

-- What was sent against a limit per minute; rows of the last minutes only. No job's: several
-- jobs share one limit, and their rows outlive them.
CREATE TABLE sent (
    quota    TEXT NOT NULL,
    wall_us  INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    tokens   INTEGER NOT NULL,
    PRIMARY KEY (quota, wall_us)
) STRICT, WITHOUT ROWID;

-- Providers and limits that are left alone.
CREATE TABLE rest (
    name      TEXT NOT NULL,              -- of the provider; of the limit where is_limit = 1
    is_limit  INTEGER NOT NULL,
    until_us  INTEGER NOT NULL,           -- 0 = until somebody acts
    reason    TEXT NOT NULL,
    text      TEXT NOT NULL,
    PRIMARY KEY (name, is_limit)
) STRICT, WITHOUT ROWID;
