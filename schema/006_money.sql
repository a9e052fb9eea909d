-- 006_money.sql -- what every answer cost, what is reserved, who spent how much on which day.
--
-- Amounts are whole nano-dollars. A day is the number of days since 1970 by the clock of the
-- configuration's time zone, at the moment when the request was reserved.

ALTER TABLE job ADD COLUMN owner INTEGER NOT NULL DEFAULT -1; -- user id; -1 = not known
ALTER TABLE job ADD COLUMN cost INTEGER NOT NULL DEFAULT 0;   -- answers and charges below
ALTER TABLE answer ADD COLUMN cost INTEGER NOT NULL DEFAULT 0;

-- Reservations of requests that may be on the wire, at the worst case. What a crash leaves
-- behind was perhaps charged, and is booked so when the daemon comes back.
CREATE TABLE claim (
    id       INTEGER PRIMARY KEY,
    day      INTEGER NOT NULL,
    owner    INTEGER NOT NULL,
    provider TEXT NOT NULL,
    model    TEXT NOT NULL,
    job      INTEGER NOT NULL,             -- 0 = of no job: predictions, tests
    requests INTEGER NOT NULL,
    tokens   INTEGER NOT NULL,
    nano     INTEGER NOT NULL
) STRICT;

-- Sums of the ledger, kept in the commit of each answer; and of what was charged, or perhaps
-- charged, without a row in the ledger. Stays when a job goes.
CREATE TABLE spend (
    day            INTEGER NOT NULL,
    owner          INTEGER NOT NULL,
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    job            INTEGER NOT NULL,
    requests       INTEGER NOT NULL DEFAULT 0,
    tokens_in      INTEGER NOT NULL DEFAULT 0,
    tokens_out     INTEGER NOT NULL DEFAULT 0,
    nano           INTEGER NOT NULL DEFAULT 0,
    other_requests INTEGER NOT NULL DEFAULT 0, -- start-up questions, answers that were lost
    other_tokens   INTEGER NOT NULL DEFAULT 0,
    other_nano     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, owner, provider, model, job)
) STRICT, WITHOUT ROWID;
CREATE INDEX spend_by_job ON spend (job);

INSERT INTO spend (day, owner, provider, model, job, requests, tokens_in, tokens_out)
SELECT answer.wall_us / 86400000000, -1, ifnull(json_extract(spec, '$.provider'), ''),
    ifnull(json_extract(spec, '$.model'), ''), answer.job, count(*), sum(answer.tokens_in),
    sum(answer.tokens_out)
FROM answer JOIN job_spec ON job_spec.job = answer.job WHERE attempts > 0 GROUP BY 1, 3, 4, 5;
