-- All that is computed from the raw log and can be computed again.
CREATE TABLE trackers (
    venue        UUID    NOT NULL PRIMARY KEY REFERENCES venues (id),
    organization UUID    NOT NULL,
    applied      BIGINT  NOT NULL,
    watermark    BIGINT  NOT NULL,
    snapshot     BYTEA   NOT NULL,
    saved_at     BIGINT  NOT NULL
);

-- Days that have to be computed again; the nil UUID stands for every subject.
CREATE TABLE late_windows (
    venue        UUID    NOT NULL REFERENCES venues (id),
    from_at      BIGINT  NOT NULL,
    to_at        BIGINT  NOT NULL,
    subject      UUID    NOT NULL,
    organization UUID    NOT NULL,
    PRIMARY KEY (venue, from_at, to_at, subject)
);

-- An id derives from the start, so a row never moves inside its key, and a time range is one run of the key.
CREATE TABLE visits (
    organization UUID    NOT NULL,
    venue        UUID    NOT NULL,
    from_at      BIGINT  NOT NULL,
    id           UUID    NOT NULL,
    revision     BIGINT  NOT NULL,
    subject      UUID    NOT NULL,
    to_at        BIGINT  NOT NULL,
    class        TEXT    NOT NULL,
    open         BOOLEAN NOT NULL,
    day          BIGINT  NOT NULL,
    PRIMARY KEY (venue, from_at, id)
);
-- From a stay to its visit, whose start the stay does not know.
CREATE UNIQUE INDEX visits_id ON visits (venue, id);

CREATE TABLE stays (
    organization UUID    NOT NULL,
    venue        UUID    NOT NULL,
    from_at      BIGINT  NOT NULL,
    id           UUID    NOT NULL,
    revision     BIGINT  NOT NULL,
    visit        UUID    NOT NULL,
    subject      UUID    NOT NULL,
    zone         UUID    NOT NULL,
    to_at        BIGINT  NOT NULL,
    open         BOOLEAN NOT NULL,
    PRIMARY KEY (venue, from_at, id)
);
