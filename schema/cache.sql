-- cache.sql -- responses.db, the response cache: answers by the exact bytes of their question.
--
-- A file of its own, apart from bbtd.db, that may be deleted at any time. Versioned by
-- user_version; a file of another version is started anew.

CREATE TABLE entry (
    key        BLOB PRIMARY KEY CHECK (length(key) = 32), -- SHA-256: request and fingerprint
    rows       INTEGER NOT NULL,
    labels     INTEGER NOT NULL,
    logit      BLOB NOT NULL,              -- f32, rows x labels
    tokens_in  INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    made_us    INTEGER NOT NULL,           -- wall clock of the answer
    used_us    INTEGER NOT NULL,           -- of its last use, to the hour
    seal       INTEGER NOT NULL            -- digest of the row: a damaged one is never used
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_by_made ON entry (made_us);
CREATE INDEX entry_by_used ON entry (used_us);
