-- The OAuth2 server: applications, what they were allowed, and the secrets that prove it, stored as hashes.
CREATE TABLE clients (
    id                     UUID    NOT NULL PRIMARY KEY,
    organization           UUID    NOT NULL REFERENCES organizations (id),
    name                   TEXT    NOT NULL,
    logo                   TEXT,
    kind                   TEXT    NOT NULL,
    party                  TEXT,
    secret_hash            BYTEA,
    redirect_uris          JSONB   NOT NULL,
    post_logout_uris       JSONB   NOT NULL,
    backchannel_logout_uri TEXT,
    scopes                 JSONB   NOT NULL,
    grants                 JSONB   NOT NULL,
    resources              JSONB   NOT NULL,
    id_token_algorithm     TEXT    NOT NULL,
    created_at             BIGINT  NOT NULL,
    disabled_at            BIGINT
);
CREATE INDEX clients_organization ON clients (organization, id);

-- What an account, or without one the client itself, allowed a client.
CREATE TABLE grants (
    id            UUID    NOT NULL PRIMARY KEY,
    client        UUID    NOT NULL REFERENCES clients (id),
    organization  UUID    NOT NULL REFERENCES organizations (id),
    account       UUID    REFERENCES accounts (id),
    scopes        TEXT    NOT NULL,
    resource      TEXT,
    created_at    BIGINT  NOT NULL,
    last_used_at  BIGINT,
    last_error    TEXT,
    last_error_at BIGINT,
    revoked_at    BIGINT,
    revoked_why   TEXT
);
CREATE INDEX grants_organization ON grants (organization, id);
CREATE INDEX grants_account ON grants (account, id);
CREATE INDEX grants_client ON grants (client, account);

CREATE TABLE codes (
    hash             BYTEA   NOT NULL PRIMARY KEY,
    organization     UUID    NOT NULL REFERENCES organizations (id),
    grant_id         UUID    NOT NULL REFERENCES grants (id),
    client           UUID    NOT NULL REFERENCES clients (id),
    redirect_uri     TEXT    NOT NULL,
    scopes           TEXT    NOT NULL,
    nonce            TEXT,
    challenge        TEXT,
    resource         TEXT,
    authenticated_at BIGINT  NOT NULL,
    -- No reference: the session may be forgotten first.
    browser_session  UUID,
    created_at       BIGINT  NOT NULL,
    expires_at       BIGINT  NOT NULL,
    used_at          BIGINT
);
CREATE INDEX codes_expires_at ON codes (expires_at);

CREATE TABLE refresh_tokens (
    hash         BYTEA   NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL REFERENCES organizations (id),
    grant_id     UUID    NOT NULL REFERENCES grants (id),
    -- The hash of the token that this one replaces; no reference, because that one is forgotten first.
    parent       BYTEA,
    generation   BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT,
    -- When it was first replaced, and when a successor was first used: from then on it is worth nothing.
    replaced_at  BIGINT,
    confirmed_at BIGINT
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_parent ON refresh_tokens (parent);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_confirmed_at ON refresh_tokens (confirmed_at);

-- Devices without a keyboard that wait for a person to allow them in (RFC 8628).
CREATE TABLE device_codes (
    hash           BYTEA   NOT NULL PRIMARY KEY,
    user_code_hash BYTEA   NOT NULL UNIQUE,
    organization   UUID    NOT NULL REFERENCES organizations (id),
    client         UUID    NOT NULL REFERENCES clients (id),
    scopes         TEXT    NOT NULL,
    resource       TEXT,
    created_at     BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL,
    interval_s     BIGINT  NOT NULL,
    polled_at      BIGINT,
    account        UUID    REFERENCES accounts (id),
    status         TEXT    NOT NULL,
    grant_id       UUID    REFERENCES grants (id)
);
CREATE INDEX device_codes_expires_at ON device_codes (expires_at);

-- The keys of the whole installation; the private half is sealed under a key that is not in the database.
CREATE TABLE signing_keys (
    id          TEXT    NOT NULL PRIMARY KEY,
    algorithm   TEXT    NOT NULL,
    public      JSONB   NOT NULL,
    private     BYTEA   NOT NULL,
    created_at  BIGINT  NOT NULL,
    signs_from  BIGINT  NOT NULL,
    signs_until BIGINT,
    retired_at  BIGINT
);
