-- The raw log: one row per group commit and venue.
CREATE TABLE segments (
    organization UUID    NOT NULL,
    venue        UUID    NOT NULL,
    position     BIGINT  NOT NULL,
    from_at      BIGINT  NOT NULL,
    to_at        BIGINT  NOT NULL,
    received_at  BIGINT  NOT NULL,
    batches      BIGINT  NOT NULL,
    pings        BIGINT  NOT NULL,
    body         BYTEA   NOT NULL,
    PRIMARY KEY (venue, position)
);
-- Pseudonyms are random: compressing a body costs time and gains nothing.
ALTER TABLE segments ALTER COLUMN body SET STORAGE EXTERNAL;
-- Times are searched in order of the log, and without touching a body.
CREATE INDEX segments_times ON segments (venue, position, from_at, to_at, organization);

-- Which batch numbers of a device's boot are committed or refused.
CREATE TABLE boots (
    device       UUID    NOT NULL,
    boot         TEXT    NOT NULL,
    organization UUID    NOT NULL,
    numbers       BYTEA   NOT NULL,
    updated_at   BIGINT  NOT NULL,
    PRIMARY KEY (device, boot)
);

-- The content hashes of a boot's newest batches, 64 to a row.
CREATE TABLE batch_hashes (
    device       UUID    NOT NULL,
    boot         TEXT    NOT NULL,
    chunk        BIGINT  NOT NULL,
    organization UUID    NOT NULL,
    hashes       BYTEA   NOT NULL,
    PRIMARY KEY (device, boot, chunk)
);
