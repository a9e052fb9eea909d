-- 003_mark_tries.sql -- a request that several crashes lose is paid for several times.

-- How often it was about to be sent; its answer counts all but one as repeated.
ALTER TABLE mark ADD COLUMN tries INTEGER NOT NULL DEFAULT 1;
