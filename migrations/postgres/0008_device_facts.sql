-- What was last seen of a device: a JSON document that only the broker and its readers look into.
CREATE TABLE device_facts (
    device       UUID    NOT NULL PRIMARY KEY REFERENCES devices (id),
    organization UUID    NOT NULL REFERENCES organizations (id),
    facts        TEXT    NOT NULL,
    updated_at   BIGINT  NOT NULL
);
