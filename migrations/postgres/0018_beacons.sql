-- What the changing identifiers of beacons and tags are made with. The key arrives sealed; by its fingerprint it is one device's only.
CREATE TABLE ephemeral_keys (
    device            UUID    NOT NULL PRIMARY KEY REFERENCES devices (id),
    organization      UUID    NOT NULL REFERENCES organizations (id),
    key               BYTEA   NOT NULL,
    fingerprint       BYTEA   NOT NULL UNIQUE,
    rotation_exponent BIGINT  NOT NULL,
    counter           BIGINT  NOT NULL,
    registered_at     BIGINT  NOT NULL
);

-- Who hears a beacon, and how: a JSON document that only the broker and its readers look into.
CREATE TABLE beacon_watch (
    device       UUID    NOT NULL PRIMARY KEY REFERENCES devices (id),
    organization UUID    NOT NULL REFERENCES organizations (id),
    watch        TEXT    NOT NULL,
    updated_at   BIGINT  NOT NULL
);
