-- All that is computed from the raw log and can be computed again.
CREATE TABLE trackers (
    venue        BLOB    NOT NULL PRIMARY KEY REFERENCES venues (id),
    organization BLOB    NOT NULL,
    applied      INTEGER NOT NULL,
    watermark    INTEGER NOT NULL,
    snapshot     BLOB    NOT NULL,
    saved_at     INTEGER NOT NULL
) STRICT;

-- Days that have to be computed again; sixteen zero bytes stand for every subject.
CREATE TABLE late_windows (
    venue        BLOB    NOT NULL REFERENCES venues (id),
    from_at      INTEGER NOT NULL,
    to_at        INTEGER NOT NULL,
    subject      BLOB    NOT NULL,
    organization BLOB    NOT NULL,
    PRIMARY KEY (venue, from_at, to_at, subject)
) STRICT, WITHOUT ROWID;

-- An id derives from the start, so a row never moves inside its key, and a time range is one run of the key.
CREATE TABLE visits (
    organization BLOB    NOT NULL,
    venue        BLOB    NOT NULL,
    from_at      INTEGER NOT NULL,
    id           BLOB    NOT NULL,
    revision     INTEGER NOT NULL,
    subject      BLOB    NOT NULL,
    to_at        INTEGER NOT NULL,
    class        TEXT    NOT NULL,
    open         INTEGER NOT NULL,
    day          INTEGER NOT NULL,
    PRIMARY KEY (venue, from_at, id)
) STRICT, WITHOUT ROWID;
-- From a stay to its visit, whose start the stay does not know.
CREATE UNIQUE INDEX visits_id ON visits (venue, id);

CREATE TABLE stays (
    organization BLOB    NOT NULL,
    venue        BLOB    NOT NULL,
    from_at      INTEGER NOT NULL,
    id           BLOB    NOT NULL,
    revision     INTEGER NOT NULL,
    visit        BLOB    NOT NULL,
    subject      BLOB    NOT NULL,
    zone         BLOB    NOT NULL,
    to_at        INTEGER NOT NULL,
    open         INTEGER NOT NULL,
    PRIMARY KEY (venue, from_at, id)
) STRICT, WITHOUT ROWID;
