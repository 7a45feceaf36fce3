-- What a device is to people and assistants; none until somebody says.
ALTER TABLE devices ADD COLUMN profile TEXT;

-- Orders to devices. The outbox is part of them: what has an `outbox_due` is still to be looked at by the broker, from then on.
CREATE TABLE commands (
    id           BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    device       BLOB    NOT NULL REFERENCES devices (id),
    name         TEXT    NOT NULL,
    args         TEXT    NOT NULL,
    signed       TEXT,
    author       TEXT    NOT NULL,
    bulk         BLOB,
    request      TEXT,
    created_at   INTEGER NOT NULL,
    deadline     INTEGER NOT NULL,
    status       TEXT    NOT NULL,
    outbox_due   INTEGER,
    reason       TEXT,
    detail       TEXT,
    result       TEXT,
    late_ack     TEXT,
    sent_at      INTEGER,
    accepted_at  INTEGER,
    ended_at     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX commands_device ON commands (device, id);
CREATE INDEX commands_waiting ON commands (device, id) WHERE ended_at IS NULL;
CREATE INDEX commands_status ON commands (organization, status, id);
CREATE INDEX commands_request ON commands (request) WHERE request IS NOT NULL;
CREATE INDEX commands_organization ON commands (organization, id);
CREATE INDEX commands_bulk ON commands (bulk, id) WHERE bulk IS NOT NULL;
CREATE UNIQUE INDEX commands_bulk_device ON commands (bulk, device) WHERE bulk IS NOT NULL;
CREATE INDEX commands_outbox ON commands (outbox_due) WHERE outbox_due IS NOT NULL;
CREATE INDEX commands_open ON commands (deadline) WHERE ended_at IS NULL;
CREATE INDEX commands_ended ON commands (ended_at) WHERE ended_at IS NOT NULL;

-- One order to many devices.
CREATE TABLE bulk_commands (
    id           BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    name         TEXT    NOT NULL,
    args         TEXT    NOT NULL,
    author       TEXT    NOT NULL,
    total        INTEGER NOT NULL,
    refused      TEXT,
    refused_count INTEGER NOT NULL DEFAULT 0,
    request      TEXT,
    created_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_commands_organization ON bulk_commands (organization, id);
CREATE INDEX bulk_commands_request ON bulk_commands (request) WHERE request IS NOT NULL;

-- What a device should be and says it is. `desired_due` says that the broker has still to tell the device.
CREATE TABLE twins (
    device           BLOB    NOT NULL PRIMARY KEY REFERENCES devices (id),
    organization     BLOB    NOT NULL REFERENCES organizations (id),
    desired          TEXT    NOT NULL,
    desired_version  INTEGER NOT NULL,
    desired_at       INTEGER,
    desired_due      INTEGER,
    reported         TEXT    NOT NULL,
    reported_version INTEGER NOT NULL,
    reported_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX twins_due ON twins (desired_due) WHERE desired_due IS NOT NULL;

-- The newest changes of each side of a twin.
CREATE TABLE twin_changes (
    device       BLOB    NOT NULL REFERENCES devices (id),
    side         TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    patch        TEXT    NOT NULL,
    author       TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (device, side, version)
) STRICT, WITHOUT ROWID;
