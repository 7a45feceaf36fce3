-- Keys in the image of a fleet: whoever has one asks to come into its organization.
CREATE TABLE claim_keys (
    id              UUID    NOT NULL PRIMARY KEY,
    organization    UUID    NOT NULL REFERENCES organizations (id),
    hash            BYTEA   NOT NULL UNIQUE,
    name            TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    venue           UUID    REFERENCES venues (id),
    approval        TEXT    NOT NULL,
    quota           BIGINT  NOT NULL,
    used            BIGINT  NOT NULL,
    refused         BIGINT  NOT NULL,
    last_refusal    TEXT,
    last_refused_at BIGINT,
    created_at      BIGINT  NOT NULL,
    expires_at      BIGINT,
    revoked_at      BIGINT
);
CREATE INDEX claim_keys_organization ON claim_keys (organization, id);

-- Devices without credentials that ask to come in. Without a claim key they are of no organization until somebody who sees
-- their code decides.
CREATE TABLE enrolments (
    id             UUID    NOT NULL PRIMARY KEY,
    hash           BYTEA   NOT NULL UNIQUE,
    user_code_hash BYTEA   NOT NULL UNIQUE,
    organization   UUID    REFERENCES organizations (id),
    claim_key      UUID    REFERENCES claim_keys (id),
    kind           TEXT    NOT NULL,
    serial         TEXT,
    model          TEXT,
    csr            TEXT,
    address        TEXT,
    created_at     BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL,
    interval_s     BIGINT  NOT NULL,
    polled_at      BIGINT,
    status         TEXT    NOT NULL,
    device         UUID    REFERENCES devices (id)
);
CREATE INDEX enrolments_organization ON enrolments (organization, id);
CREATE INDEX enrolments_serial ON enrolments (claim_key, serial);
CREATE INDEX enrolments_device ON enrolments (device);
CREATE INDEX enrolments_expires_at ON enrolments (expires_at);
