-- What the changing identifiers of beacons and tags are made with. The key arrives sealed; by its fingerprint it is one device's only.
CREATE TABLE ephemeral_keys (
    device            BLOB    NOT NULL PRIMARY KEY REFERENCES devices (id),
    organization      BLOB    NOT NULL REFERENCES organizations (id),
    key               BLOB    NOT NULL,
    fingerprint       BLOB    NOT NULL UNIQUE,
    rotation_exponent INTEGER NOT NULL,
    counter           INTEGER NOT NULL,
    registered_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who hears a beacon, and how: a JSON document that only the broker and its readers look into.
CREATE TABLE beacon_watch (
    device       BLOB    NOT NULL PRIMARY KEY REFERENCES devices (id),
    organization BLOB    NOT NULL REFERENCES organizations (id),
    watch        TEXT    NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
