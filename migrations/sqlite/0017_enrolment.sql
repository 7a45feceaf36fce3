-- Keys in the image of a fleet: whoever has one asks to come into its organization.
CREATE TABLE claim_keys (
    id              BLOB    NOT NULL PRIMARY KEY,
    organization    BLOB    NOT NULL REFERENCES organizations (id),
    hash            BLOB    NOT NULL UNIQUE,
    name            TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    venue           BLOB    REFERENCES venues (id),
    approval        TEXT    NOT NULL,
    quota           INTEGER NOT NULL,
    used            INTEGER NOT NULL,
    refused         INTEGER NOT NULL,
    last_refusal    TEXT,
    last_refused_at INTEGER,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER,
    revoked_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_keys_organization ON claim_keys (organization, id);

-- Devices without credentials that ask to come in. Without a claim key they are of no organization until somebody who sees
-- their code decides.
CREATE TABLE enrolments (
    id             BLOB    NOT NULL PRIMARY KEY,
    hash           BLOB    NOT NULL UNIQUE,
    user_code_hash BLOB    NOT NULL UNIQUE,
    organization   BLOB    REFERENCES organizations (id),
    claim_key      BLOB    REFERENCES claim_keys (id),
    kind           TEXT    NOT NULL,
    serial         TEXT,
    model          TEXT,
    csr            TEXT,
    address        TEXT,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    interval_s     INTEGER NOT NULL,
    polled_at      INTEGER,
    status         TEXT    NOT NULL,
    device         BLOB    REFERENCES devices (id)
) STRICT;
CREATE INDEX enrolments_organization ON enrolments (organization, id);
CREATE INDEX enrolments_serial ON enrolments (claim_key, serial);
CREATE INDEX enrolments_device ON enrolments (device);
CREATE INDEX enrolments_expires_at ON enrolments (expires_at);
