-- What people linked to voice assistants: who is told what, and how it is with the link.
CREATE TABLE assistant_links (
    organization BLOB    NOT NULL REFERENCES organizations (id),
    account      BLOB    NOT NULL REFERENCES accounts (id),
    assistant    TEXT    NOT NULL,
    grant_id     BLOB    NOT NULL REFERENCES grants (id),
    venues       INTEGER NOT NULL,
    state        TEXT    NOT NULL,
    tokens       BLOB,
    linked_at    INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    PRIMARY KEY (organization, account, assistant)
) STRICT, WITHOUT ROWID;

-- The PINs that assistants have to ask for, hashed, and how often a wrong one was said.
CREATE TABLE device_pins (
    device       BLOB    NOT NULL PRIMARY KEY REFERENCES devices (id),
    organization BLOB    NOT NULL REFERENCES organizations (id),
    pin          BLOB    NOT NULL,
    failures     INTEGER NOT NULL,
    locked_until INTEGER,
    changed_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
