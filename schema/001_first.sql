-- 001_first.sql -- the first schema of bbtd.db.
--
-- Rules: files here are never edited after a release, only followed by the next number. Each
-- runs in one transaction, after which user_version is its number. Times are microseconds
-- since 1970 (UTC). Number arrays are raw little-endian float32 ("f32") or float64 ("f64").
-- SQL's NULL stands for "not known yet" (NaN in memory).

CREATE TABLE job (
    id              INTEGER PRIMARY KEY AUTOINCREMENT, -- an id is never used twice
    key             TEXT UNIQUE,           -- idempotency key of the submit; NULL = none
    name            TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (state IN
                        ('queued', 'running', 'paused', 'completed', 'failed', 'cancelled')),
    reason          TEXT NOT NULL DEFAULT '',
    detail          TEXT NOT NULL DEFAULT '',
    priority        INTEGER NOT NULL DEFAULT 0,
    created_us      INTEGER NOT NULL,
    started_us      INTEGER NOT NULL DEFAULT 0,
    ended_us        INTEGER NOT NULL DEFAULT 0,
    updated_us      INTEGER NOT NULL,
    -- counters: only grow, over restarts too
    generations     INTEGER NOT NULL DEFAULT 0,
    evaluations     INTEGER NOT NULL DEFAULT 0,
    examples        INTEGER NOT NULL DEFAULT 0,
    requests        INTEGER NOT NULL DEFAULT 0,
    repeated        INTEGER NOT NULL DEFAULT 0,
    failures        INTEGER NOT NULL DEFAULT 0,
    tokens_in       INTEGER NOT NULL DEFAULT 0,
    tokens_out      INTEGER NOT NULL DEFAULT 0,
    active_us       INTEGER NOT NULL DEFAULT 0,
    -- plan; 0 = open
    generations_max INTEGER NOT NULL DEFAULT 0,
    evaluations_max INTEGER NOT NULL DEFAULT 0,
    -- progress
    best_dev        REAL,
    last_loss       REAL
) STRICT;
CREATE INDEX job_by_state ON job (state, priority DESC, id);
CREATE INDEX job_by_name ON job (name);

-- Beside the job row, because that row is rewritten with every answer.
CREATE TABLE job_spec (
    job  INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
    spec TEXT NOT NULL                     -- wire form, as submitted
) STRICT;

-- What the start-up probe learned; written with generation 0.
CREATE TABLE setup (
    job   INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
    bytes BLOB NOT NULL
) STRICT;

-- Data files by content.
CREATE TABLE blob (
    sha256 TEXT PRIMARY KEY CHECK (length(sha256) = 64),
    bytes  BLOB NOT NULL
) STRICT;

-- The ledger: every answered request, exactly once.
CREATE TABLE answer (
    job        INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    phase      INTEGER NOT NULL,           -- enum rec_phase
    gen        INTEGER NOT NULL,
    cand       INTEGER NOT NULL,
    batch      INTEGER NOT NULL,
    digest     INTEGER NOT NULL,           -- of the prompt asked about
    rows       INTEGER NOT NULL,
    labels     INTEGER NOT NULL,
    logit      BLOB NOT NULL,              -- f32, rows x labels
    tokens_in  INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    repeated   INTEGER NOT NULL,
    latency_us INTEGER NOT NULL,
    wall_us    INTEGER NOT NULL,
    PRIMARY KEY (job, phase, gen, cand, batch)
) STRICT, WITHOUT ROWID;

-- Requests that may be on the wire: the answers that a crash can have lost.
CREATE TABLE mark (
    job   INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    phase INTEGER NOT NULL,
    gen   INTEGER NOT NULL,
    cand  INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    PRIMARY KEY (job, phase, gen, cand, batch)
) STRICT, WITHOUT ROWID;

-- One row per generation; the last one is open while loss is NULL.
CREATE TABLE gen (
    job         INTEGER NOT NULL REFERENCES job ON DELETE CASCADE,
    gen         INTEGER NOT NULL,
    popsize     INTEGER NOT NULL,
    dim         INTEGER NOT NULL,
    digest      INTEGER NOT NULL,          -- of the optimiser's state before ask
    loss        BLOB,                      -- f64, popsize
    loss_best   REAL,
    loss_mean   REAL,
    sigma       REAL,
    dev         REAL,
    dev_loss    REAL,
    evaluations INTEGER NOT NULL DEFAULT 0,
    wall_us     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, gen)
) STRICT, WITHOUT ROWID;

-- Candidates of the generations from the snapshot on. A table of its own, so that closing a
-- generation does not rewrite them.
CREATE TABLE cand (
    job INTEGER NOT NULL,
    gen INTEGER NOT NULL,
    z   BLOB NOT NULL,                     -- f64, popsize x dim
    PRIMARY KEY (job, gen),
    FOREIGN KEY (job, gen) REFERENCES gen ON DELETE CASCADE
) STRICT;

-- Optimiser's bytes before the ask of generation `gen`; the latest only.
CREATE TABLE snapshot (
    job   INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
    gen   INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE best (
    job      INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
    gen      INTEGER NOT NULL,
    cand     INTEGER NOT NULL,             -- 4294967295 = the distribution's mean
    dev      REAL,
    dev_loss REAL,
    z        BLOB NOT NULL                 -- f64, dim
) STRICT;

CREATE TABLE result (
    job    INTEGER PRIMARY KEY REFERENCES job ON DELETE CASCADE,
    json   TEXT NOT NULL,
    rows   INTEGER NOT NULL,
    hidden INTEGER NOT NULL,
    prompt BLOB                            -- f32, rows x hidden; NULL = none
) STRICT;

CREATE TABLE event (
    id      INTEGER PRIMARY KEY AUTOINCREMENT, -- cursor of the event stream
    job     INTEGER NOT NULL,              -- 0 = the daemon's
    wall_us INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    text    TEXT NOT NULL
) STRICT;
CREATE INDEX event_by_job ON event (job, id);
