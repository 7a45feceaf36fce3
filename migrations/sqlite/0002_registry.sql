-- Venues, zones and placements are versioned by event time: a version holds from effective_from until the next one.
-- The first is stored with effective_from 0 and holds for all earlier time. Deleting is soft.
CREATE TABLE venues (
    id           BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    -- Counts the changes of anything that the venue's presence is computed from.
    revision     INTEGER NOT NULL,
    -- Raw rows of earlier event times may be gone, so what was computed from them stays as it is.
    sealed_until INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    deleted_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX venues_organization ON venues (organization, id);

CREATE TABLE venue_versions (
    venue          BLOB    NOT NULL REFERENCES venues (id),
    effective_from INTEGER NOT NULL,
    organization   BLOB    NOT NULL REFERENCES organizations (id),
    name           TEXT    NOT NULL,
    timezone       TEXT    NOT NULL,
    day_starts_at  INTEGER NOT NULL,
    locale         TEXT    NOT NULL,
    admits         TEXT    NOT NULL,
    settings       TEXT,
    PRIMARY KEY (venue, effective_from)
) STRICT, WITHOUT ROWID;

CREATE TABLE zones (
    id           BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    venue        BLOB    NOT NULL REFERENCES venues (id),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    deleted_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX zones_venue ON zones (venue, id);

CREATE TABLE zone_versions (
    zone           BLOB    NOT NULL REFERENCES zones (id),
    effective_from INTEGER NOT NULL,
    organization   BLOB    NOT NULL REFERENCES organizations (id),
    name           TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    neighbours     TEXT    NOT NULL,
    polygon        TEXT,
    deleted        INTEGER NOT NULL,
    PRIMARY KEY (zone, effective_from)
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    id           BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    kind         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    identifier   TEXT,
    secret_hash  BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    deleted_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_organization ON devices (organization, id);
CREATE INDEX devices_updated_at ON devices (updated_at);
CREATE UNIQUE INDEX devices_identifier ON devices (identifier) WHERE deleted_at IS NULL;

-- A version without a venue says that the device stands nowhere from then on.
CREATE TABLE placements (
    device         BLOB    NOT NULL REFERENCES devices (id),
    effective_from INTEGER NOT NULL,
    organization   BLOB    NOT NULL REFERENCES organizations (id),
    venue          BLOB    REFERENCES venues (id),
    zone           BLOB    REFERENCES zones (id),
    position       TEXT,
    PRIMARY KEY (device, effective_from)
) STRICT, WITHOUT ROWID;
CREATE INDEX placements_venue ON placements (venue, device);
