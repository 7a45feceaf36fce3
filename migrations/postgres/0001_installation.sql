-- The one row that makes this database an installation: the key that secrets are hashed under, and the first organization.
CREATE TABLE installation (
    id           BIGINT  NOT NULL PRIMARY KEY CHECK (id = 1),
    key          BYTEA   NOT NULL,
    organization UUID
);

CREATE TABLE organizations (
    id         UUID    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    created_at BIGINT  NOT NULL
);

CREATE TABLE pseudonym_keys (
    organization   UUID    NOT NULL REFERENCES organizations (id),
    epoch          BIGINT  NOT NULL,
    effective_from BIGINT  NOT NULL,
    key            BYTEA   NOT NULL,
    PRIMARY KEY (organization, epoch)
);

CREATE TABLE api_keys (
    id           UUID    NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL REFERENCES organizations (id),
    name         TEXT    NOT NULL,
    hash         BYTEA   NOT NULL UNIQUE,
    scopes       JSONB   NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT
);
CREATE INDEX api_keys_organization ON api_keys (organization, id);

-- What was answered to a request that carried an idempotency key; no status yet means it is still being worked on.
CREATE TABLE idempotency (
    organization UUID    NOT NULL REFERENCES organizations (id),
    key          TEXT    NOT NULL,
    request_hash BYTEA   NOT NULL,
    status       BIGINT,
    body         BYTEA,
    begun_at     BIGINT  NOT NULL,
    PRIMARY KEY (organization, key)
);
CREATE INDEX idempotency_begun_at ON idempotency (begun_at);
