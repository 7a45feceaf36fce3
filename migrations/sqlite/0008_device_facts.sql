-- What was last seen of a device: a JSON document that only the broker and its readers look into.
CREATE TABLE device_facts (
    device       BLOB    NOT NULL PRIMARY KEY REFERENCES devices (id),
    organization BLOB    NOT NULL REFERENCES organizations (id),
    facts        TEXT    NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;
