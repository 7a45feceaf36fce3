-- The OAuth2 server: applications, what they were allowed, and the secrets that prove it, stored as hashes.
CREATE TABLE clients (
    id                     BLOB    NOT NULL PRIMARY KEY,
    organization           BLOB    NOT NULL REFERENCES organizations (id),
    name                   TEXT    NOT NULL,
    logo                   TEXT,
    kind                   TEXT    NOT NULL,
    party                  TEXT,
    secret_hash            BLOB,
    redirect_uris          TEXT    NOT NULL,
    post_logout_uris       TEXT    NOT NULL,
    backchannel_logout_uri TEXT,
    scopes                 TEXT    NOT NULL,
    grants                 TEXT    NOT NULL,
    resources              TEXT    NOT NULL,
    id_token_algorithm     TEXT    NOT NULL,
    created_at             INTEGER NOT NULL,
    disabled_at            INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX clients_organization ON clients (organization, id);

-- What an account, or without one the client itself, allowed a client.
CREATE TABLE grants (
    id            BLOB    NOT NULL PRIMARY KEY,
    client        BLOB    NOT NULL REFERENCES clients (id),
    organization  BLOB    NOT NULL REFERENCES organizations (id),
    account       BLOB    REFERENCES accounts (id),
    scopes        TEXT    NOT NULL,
    resource      TEXT,
    created_at    INTEGER NOT NULL,
    last_used_at  INTEGER,
    last_error    TEXT,
    last_error_at INTEGER,
    revoked_at    INTEGER,
    revoked_why   TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_organization ON grants (organization, id);
CREATE INDEX grants_account ON grants (account, id);
CREATE INDEX grants_client ON grants (client, account);

CREATE TABLE codes (
    hash             BLOB    NOT NULL PRIMARY KEY,
    organization     BLOB    NOT NULL REFERENCES organizations (id),
    grant_id         BLOB    NOT NULL REFERENCES grants (id),
    client           BLOB    NOT NULL REFERENCES clients (id),
    redirect_uri     TEXT    NOT NULL,
    scopes           TEXT    NOT NULL,
    nonce            TEXT,
    challenge        TEXT,
    resource         TEXT,
    authenticated_at INTEGER NOT NULL,
    -- No reference: the session may be forgotten first.
    browser_session  BLOB,
    created_at       INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    used_at          INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX codes_expires_at ON codes (expires_at);

CREATE TABLE refresh_tokens (
    hash         BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    grant_id     BLOB    NOT NULL REFERENCES grants (id),
    -- The hash of the token that this one replaces; no reference, because that one is forgotten first.
    parent       BLOB,
    generation   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    -- When it was first replaced, and when a successor was first used: from then on it is worth nothing.
    replaced_at  INTEGER,
    confirmed_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_parent ON refresh_tokens (parent);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_confirmed_at ON refresh_tokens (confirmed_at);

-- Devices without a keyboard that wait for a person to allow them in (RFC 8628).
CREATE TABLE device_codes (
    hash           BLOB    NOT NULL PRIMARY KEY,
    user_code_hash BLOB    NOT NULL UNIQUE,
    organization   BLOB    NOT NULL REFERENCES organizations (id),
    client         BLOB    NOT NULL REFERENCES clients (id),
    scopes         TEXT    NOT NULL,
    resource       TEXT,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    interval_s     INTEGER NOT NULL,
    polled_at      INTEGER,
    account        BLOB    REFERENCES accounts (id),
    status         TEXT    NOT NULL,
    grant_id       BLOB    REFERENCES grants (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_codes_expires_at ON device_codes (expires_at);

-- The keys of the whole installation; the private half is sealed under a key that is not in the database.
CREATE TABLE signing_keys (
    id          TEXT    NOT NULL PRIMARY KEY,
    algorithm   TEXT    NOT NULL,
    public      TEXT    NOT NULL,
    private     BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    signs_from  INTEGER NOT NULL,
    signs_until INTEGER,
    retired_at  INTEGER
) STRICT, WITHOUT ROWID;
