-- People. An account belongs to nobody but its person: the tables of this migration that have no organization are about
-- people alone, and what they may do in an organization is in its memberships. Only hashes of secrets are stored.
CREATE TABLE accounts (
    id                UUID    NOT NULL PRIMARY KEY,
    -- As it was typed, and lower-cased.
    email             TEXT    NOT NULL,
    email_key         TEXT    NOT NULL UNIQUE,
    email_verified_at BIGINT,
    name              TEXT    NOT NULL,
    locale            TEXT,
    -- PHC string format.
    password          TEXT,
    -- Sealed under a key that is not in the database.
    totp              BYTEA,
    totp_confirmed_at BIGINT,
    -- The last time step that was accepted: no code counts twice.
    totp_step         BIGINT  NOT NULL DEFAULT 0,
    created_at        BIGINT  NOT NULL,
    disabled_at       BIGINT
);

CREATE TABLE recovery_codes (
    account UUID    NOT NULL REFERENCES accounts (id),
    hash    BYTEA   NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (account, hash)
);

CREATE TABLE passkeys (
    id           UUID    NOT NULL PRIMARY KEY,
    account      UUID    NOT NULL REFERENCES accounts (id),
    credential   BYTEA   NOT NULL UNIQUE,
    name         TEXT    NOT NULL,
    data         JSONB   NOT NULL,
    created_at   BIGINT  NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX passkeys_account ON passkeys (account, id);

-- Links that are sent by mail and work once.
CREATE TABLE account_links (
    hash       BYTEA   NOT NULL PRIMARY KEY,
    account    UUID    REFERENCES accounts (id),
    purpose    TEXT    NOT NULL,
    email      TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    used_at    BIGINT
);
CREATE INDEX account_links_account ON account_links (account);
CREATE INDEX account_links_expires_at ON account_links (expires_at);

CREATE TABLE browser_sessions (
    id               UUID    NOT NULL PRIMARY KEY,
    hash             BYTEA   NOT NULL UNIQUE,
    account          UUID    NOT NULL REFERENCES accounts (id),
    created_at       BIGINT  NOT NULL,
    authenticated_at BIGINT  NOT NULL,
    seen_at          BIGINT  NOT NULL,
    expires_at       BIGINT  NOT NULL,
    methods          TEXT    NOT NULL,
    address          TEXT    NOT NULL,
    agent            TEXT    NOT NULL,
    revoked_at       BIGINT
);
CREATE INDEX browser_sessions_account ON browser_sessions (account, id);
CREATE INDEX browser_sessions_expires_at ON browser_sessions (expires_at);

-- Who signed in by another provider: (issuer, subject), never an address, says who it is.
CREATE TABLE identities (
    issuer       TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    account      UUID    NOT NULL REFERENCES accounts (id),
    email        TEXT,
    created_at   BIGINT  NOT NULL,
    last_used_at BIGINT,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_account ON identities (account);

-- Sign-ins by another provider that have begun.
CREATE TABLE upstream_flows (
    hash       BYTEA   NOT NULL PRIMARY KEY,
    provider   TEXT    NOT NULL,
    browser    BYTEA   NOT NULL,
    nonce      TEXT    NOT NULL,
    verifier   BYTEA   NOT NULL,
    return_to  TEXT    NOT NULL,
    account    UUID    REFERENCES accounts (id),
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE INDEX upstream_flows_expires_at ON upstream_flows (expires_at);

CREATE TABLE consents (
    account      UUID    NOT NULL REFERENCES accounts (id),
    purpose      TEXT    NOT NULL,
    version      TEXT    NOT NULL,
    given_at     BIGINT  NOT NULL,
    withdrawn_at BIGINT,
    PRIMARY KEY (account, purpose, version)
);
