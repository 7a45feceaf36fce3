-- People. An account belongs to nobody but its person: the tables of this migration that have no organization are about
-- people alone, and what they may do in an organization is in its memberships. Only hashes of secrets are stored.
CREATE TABLE accounts (
    id                BLOB    NOT NULL PRIMARY KEY,
    -- As it was typed, and lower-cased.
    email             TEXT    NOT NULL,
    email_key         TEXT    NOT NULL UNIQUE,
    email_verified_at INTEGER,
    name              TEXT    NOT NULL,
    locale            TEXT,
    -- PHC string format.
    password          TEXT,
    -- Sealed under a key that is not in the database.
    totp              BLOB,
    totp_confirmed_at INTEGER,
    -- The last time step that was accepted: no code counts twice.
    totp_step         INTEGER NOT NULL DEFAULT 0,
    created_at        INTEGER NOT NULL,
    disabled_at       INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_codes (
    account BLOB    NOT NULL REFERENCES accounts (id),
    hash    BLOB    NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE passkeys (
    id           BLOB    NOT NULL PRIMARY KEY,
    account      BLOB    NOT NULL REFERENCES accounts (id),
    credential   BLOB    NOT NULL UNIQUE,
    name         TEXT    NOT NULL,
    data         TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX passkeys_account ON passkeys (account, id);

-- Links that are sent by mail and work once.
CREATE TABLE account_links (
    hash       BLOB    NOT NULL PRIMARY KEY,
    account    BLOB    REFERENCES accounts (id),
    purpose    TEXT    NOT NULL,
    email      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX account_links_account ON account_links (account);
CREATE INDEX account_links_expires_at ON account_links (expires_at);

CREATE TABLE browser_sessions (
    id               BLOB    NOT NULL PRIMARY KEY,
    hash             BLOB    NOT NULL UNIQUE,
    account          BLOB    NOT NULL REFERENCES accounts (id),
    created_at       INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    seen_at          INTEGER NOT NULL,
    expires_at       INTEGER NOT NULL,
    methods          TEXT    NOT NULL,
    address          TEXT    NOT NULL,
    agent            TEXT    NOT NULL,
    revoked_at       INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX browser_sessions_account ON browser_sessions (account, id);
CREATE INDEX browser_sessions_expires_at ON browser_sessions (expires_at);

-- Who signed in by another provider: (issuer, subject), never an address, says who it is.
CREATE TABLE identities (
    issuer       TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    account      BLOB    NOT NULL REFERENCES accounts (id),
    email        TEXT,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_account ON identities (account);

-- Sign-ins by another provider that have begun.
CREATE TABLE upstream_flows (
    hash       BLOB    NOT NULL PRIMARY KEY,
    provider   TEXT    NOT NULL,
    browser    BLOB    NOT NULL,
    nonce      TEXT    NOT NULL,
    verifier   BLOB    NOT NULL,
    return_to  TEXT    NOT NULL,
    account    BLOB    REFERENCES accounts (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX upstream_flows_expires_at ON upstream_flows (expires_at);

CREATE TABLE consents (
    account      BLOB    NOT NULL REFERENCES accounts (id),
    purpose      TEXT    NOT NULL,
    version      TEXT    NOT NULL,
    given_at     INTEGER NOT NULL,
    withdrawn_at INTEGER,
    PRIMARY KEY (account, purpose, version)
) STRICT, WITHOUT ROWID;
