-- What a device is to people and assistants; none until somebody says.
ALTER TABLE devices ADD COLUMN profile JSONB;

-- Orders to devices. The outbox is part of them: what has an `outbox_due` is still to be looked at by the broker, from then on.
CREATE TABLE commands (
    id           UUID    NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL REFERENCES organizations (id),
    device       UUID    NOT NULL REFERENCES devices (id),
    name         TEXT    NOT NULL,
    args         JSONB   NOT NULL,
    signed       TEXT,
    author       TEXT    NOT NULL,
    bulk         UUID,
    request      TEXT,
    created_at   BIGINT  NOT NULL,
    deadline     BIGINT  NOT NULL,
    status       TEXT    NOT NULL,
    outbox_due   BIGINT,
    reason       TEXT,
    detail       TEXT,
    result       JSONB,
    late_ack     JSONB,
    sent_at      BIGINT,
    accepted_at  BIGINT,
    ended_at     BIGINT
);
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
    id           UUID    NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL REFERENCES organizations (id),
    name         TEXT    NOT NULL,
    args         JSONB   NOT NULL,
    author       TEXT    NOT NULL,
    total        BIGINT  NOT NULL,
    refused      JSONB,
    refused_count BIGINT NOT NULL DEFAULT 0,
    request      TEXT,
    created_at   BIGINT  NOT NULL
);
CREATE INDEX bulk_commands_organization ON bulk_commands (organization, id);
CREATE INDEX bulk_commands_request ON bulk_commands (request) WHERE request IS NOT NULL;

-- What a device should be and says it is. `desired_due` says that the broker has still to tell the device.
CREATE TABLE twins (
    device           UUID    NOT NULL PRIMARY KEY REFERENCES devices (id),
    organization     UUID    NOT NULL REFERENCES organizations (id),
    desired          JSONB   NOT NULL,
    desired_version  BIGINT  NOT NULL,
    desired_at       BIGINT,
    desired_due      BIGINT,
    reported         JSONB   NOT NULL,
    reported_version BIGINT  NOT NULL,
    reported_at      BIGINT
);
CREATE INDEX twins_due ON twins (desired_due) WHERE desired_due IS NOT NULL;

-- The newest changes of each side of a twin.
CREATE TABLE twin_changes (
    device       UUID    NOT NULL REFERENCES devices (id),
    side         TEXT    NOT NULL,
    version      BIGINT  NOT NULL,
    organization UUID    NOT NULL REFERENCES organizations (id),
    patch        JSONB   NOT NULL,
    author       TEXT    NOT NULL,
    at           BIGINT  NOT NULL,
    PRIMARY KEY (device, side, version)
);
