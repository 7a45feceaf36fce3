-- Venues, zones and placements are versioned by event time: a version holds from effective_from until the next one.
-- The first is stored with effective_from 0 and holds for all earlier time. Deleting is soft.
CREATE TABLE venues (
    id           UUID    NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL REFERENCES organizations (id),
    -- Counts the changes of anything that the venue's presence is computed from.
    revision     BIGINT  NOT NULL,
    -- Raw rows of earlier event times may be gone, so what was computed from them stays as it is.
    sealed_until BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
    deleted_at   BIGINT
);
CREATE INDEX venues_organization ON venues (organization, id);

CREATE TABLE venue_versions (
    venue          UUID    NOT NULL REFERENCES venues (id),
    effective_from BIGINT  NOT NULL,
    organization   UUID    NOT NULL REFERENCES organizations (id),
    name           TEXT    NOT NULL,
    timezone       TEXT    NOT NULL,
    day_starts_at  BIGINT  NOT NULL,
    locale         TEXT    NOT NULL,
    admits         JSONB   NOT NULL,
    settings       JSONB,
    PRIMARY KEY (venue, effective_from)
);

CREATE TABLE zones (
    id           UUID    NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL REFERENCES organizations (id),
    venue        UUID    NOT NULL REFERENCES venues (id),
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
    deleted_at   BIGINT
);
CREATE INDEX zones_venue ON zones (venue, id);

CREATE TABLE zone_versions (
    zone           UUID    NOT NULL REFERENCES zones (id),
    effective_from BIGINT  NOT NULL,
    organization   UUID    NOT NULL REFERENCES organizations (id),
    name           TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    neighbours     JSONB   NOT NULL,
    polygon        JSONB,
    deleted        BOOLEAN NOT NULL,
    PRIMARY KEY (zone, effective_from)
);

CREATE TABLE devices (
    id           UUID    NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL REFERENCES organizations (id),
    kind         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    identifier   TEXT,
    secret_hash  BYTEA   NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
    deleted_at   BIGINT
);
CREATE INDEX devices_organization ON devices (organization, id);
CREATE INDEX devices_updated_at ON devices (updated_at);
CREATE UNIQUE INDEX devices_identifier ON devices (identifier) WHERE deleted_at IS NULL;

-- A version without a venue says that the device stands nowhere from then on.
CREATE TABLE placements (
    device         UUID    NOT NULL REFERENCES devices (id),
    effective_from BIGINT  NOT NULL,
    organization   UUID    NOT NULL REFERENCES organizations (id),
    venue          UUID    REFERENCES venues (id),
    zone           UUID    REFERENCES zones (id),
    position       JSONB,
    PRIMARY KEY (device, effective_from)
);
CREATE INDEX placements_venue ON placements (venue, device);
