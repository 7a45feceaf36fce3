-- The raw log: one row per group commit and venue. Bodies are larger than a page, which is why the rows keep their rowid.
CREATE TABLE segments (
    organization BLOB    NOT NULL,
    venue        BLOB    NOT NULL,
    position     INTEGER NOT NULL,
    from_at      INTEGER NOT NULL,
    to_at        INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    batches      INTEGER NOT NULL,
    pings        INTEGER NOT NULL,
    body         BLOB    NOT NULL,
    PRIMARY KEY (venue, position)
) STRICT;
-- Times are searched in order of the log, and without touching a body.
CREATE INDEX segments_times ON segments (venue, position, from_at, to_at, organization);

-- Which batch numbers of a device's boot are committed or refused.
CREATE TABLE boots (
    device       BLOB    NOT NULL,
    boot         TEXT    NOT NULL,
    organization BLOB    NOT NULL,
    numbers       BLOB    NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (device, boot)
) STRICT, WITHOUT ROWID;

-- The content hashes of a boot's newest batches, 64 to a row.
CREATE TABLE batch_hashes (
    device       BLOB    NOT NULL,
    boot         TEXT    NOT NULL,
    chunk        INTEGER NOT NULL,
    organization BLOB    NOT NULL,
    hashes       BLOB    NOT NULL,
    PRIMARY KEY (device, boot, chunk)
) STRICT, WITHOUT ROWID;
