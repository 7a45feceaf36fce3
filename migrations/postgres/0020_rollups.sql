-- Numbers of hours, days and weeks, made from the rows of visits and stays; they may be emptied and are made again.
-- The nil UUID stands for the whole venue. An hour that a day begins in is two rows.
CREATE TABLE rollups (
    venue        UUID    NOT NULL,
    size         TEXT    NOT NULL,
    zone         UUID    NOT NULL,
    from_at      BIGINT  NOT NULL,
    organization UUID    NOT NULL,
    to_at        BIGINT  NOT NULL,
    tally        BYTEA   NOT NULL,
    PRIMARY KEY (venue, size, zone, from_at)
);
CREATE INDEX rollups_time ON rollups (venue, size, from_at);

-- The ways that the visits of hours and days took through the zones.
CREATE TABLE paths (
    venue        UUID    NOT NULL,
    size         TEXT    NOT NULL,
    from_at      BIGINT  NOT NULL,
    organization UUID    NOT NULL,
    to_at        BIGINT  NOT NULL,
    paths        BYTEA   NOT NULL,
    PRIMARY KEY (venue, size, from_at)
);

-- Quarters of an hour of UTC whose rows changed since their numbers were made; `touches` counts how often.
CREATE TABLE rollup_marks (
    venue        UUID    NOT NULL,
    at           BIGINT  NOT NULL,
    organization UUID    NOT NULL,
    touches      BIGINT  NOT NULL,
    touched_at   BIGINT  NOT NULL,
    PRIMARY KEY (venue, at)
);

-- The calendar that a venue's rollups follow, and the time `[from_at, to_at)` for which they are still to be made.
CREATE TABLE rollup_states (
    venue         UUID    NOT NULL PRIMARY KEY REFERENCES venues (id),
    organization  UUID    NOT NULL,
    timezone      TEXT    NOT NULL,
    day_starts_at BIGINT  NOT NULL,
    from_at       BIGINT  NOT NULL,
    to_at         BIGINT  NOT NULL
);

-- Whether a subject had a visit on an earlier day.
CREATE INDEX visits_subject ON visits (venue, subject, from_at) WHERE class = 'visit';
