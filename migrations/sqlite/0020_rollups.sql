-- Numbers of hours, days and weeks, made from the rows of visits and stays; they may be emptied and are made again.
-- Sixteen zero bytes stand for the whole venue. An hour that a day begins in is two rows.
CREATE TABLE rollups (
    venue        BLOB    NOT NULL,
    size         TEXT    NOT NULL,
    zone         BLOB    NOT NULL,
    from_at      INTEGER NOT NULL,
    organization BLOB    NOT NULL,
    to_at        INTEGER NOT NULL,
    tally        BLOB    NOT NULL,
    PRIMARY KEY (venue, size, zone, from_at)
) STRICT;
CREATE INDEX rollups_time ON rollups (venue, size, from_at);

-- The ways that the visits of hours and days took through the zones.
CREATE TABLE paths (
    venue        BLOB    NOT NULL,
    size         TEXT    NOT NULL,
    from_at      INTEGER NOT NULL,
    organization BLOB    NOT NULL,
    to_at        INTEGER NOT NULL,
    paths        BLOB    NOT NULL,
    PRIMARY KEY (venue, size, from_at)
) STRICT;

-- Quarters of an hour of UTC whose rows changed since their numbers were made; `touches` counts how often.
CREATE TABLE rollup_marks (
    venue        BLOB    NOT NULL,
    at           INTEGER NOT NULL,
    organization BLOB    NOT NULL,
    touches      INTEGER NOT NULL,
    touched_at   INTEGER NOT NULL,
    PRIMARY KEY (venue, at)
) STRICT, WITHOUT ROWID;

-- The calendar that a venue's rollups follow, and the time `[from_at, to_at)` for which they are still to be made.
CREATE TABLE rollup_states (
    venue         BLOB    NOT NULL PRIMARY KEY REFERENCES venues (id),
    organization  BLOB    NOT NULL,
    timezone      TEXT    NOT NULL,
    day_starts_at INTEGER NOT NULL,
    from_at       INTEGER NOT NULL,
    to_at         INTEGER NOT NULL
) STRICT;

-- Whether a subject had a visit on an earlier day.
CREATE INDEX visits_subject ON visits (venue, subject, from_at) WHERE class = 'visit';
