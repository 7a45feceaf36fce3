-- The one row that makes this database an installation: the key that secrets are hashed under, and the first organization.
CREATE TABLE installation (
    id           INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    key          BLOB    NOT NULL,
    organization BLOB
) STRICT;

CREATE TABLE organizations (
    id         BLOB    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pseudonym_keys (
    organization   BLOB    NOT NULL REFERENCES organizations (id),
    epoch          INTEGER NOT NULL,
    effective_from INTEGER NOT NULL,
    key            BLOB    NOT NULL,
    PRIMARY KEY (organization, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id           BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    name         TEXT    NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_organization ON api_keys (organization, id);

-- What was answered to a request that carried an idempotency key; no status yet means it is still being worked on.
CREATE TABLE idempotency (
    organization BLOB    NOT NULL REFERENCES organizations (id),
    key          TEXT    NOT NULL,
    request_hash BLOB    NOT NULL,
    status       INTEGER,
    body         BLOB,
    begun_at     INTEGER NOT NULL,
    PRIMARY KEY (organization, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_begun_at ON idempotency (begun_at);
