-- What people may do in an organization.
CREATE TABLE roles (
    id           BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    name         TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    UNIQUE (organization, name)
) STRICT, WITHOUT ROWID;

-- A role is either built in or one of the organization's own.
CREATE TABLE memberships (
    organization BLOB    NOT NULL REFERENCES organizations (id),
    account      BLOB    NOT NULL REFERENCES accounts (id),
    built_in     TEXT,
    custom       BLOB    REFERENCES roles (id),
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (organization, account),
    CHECK ((built_in IS NULL) <> (custom IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_account ON memberships (account);

CREATE TABLE invitations (
    id           BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    email        TEXT    NOT NULL,
    built_in     TEXT,
    custom       BLOB    REFERENCES roles (id),
    hash         BLOB    NOT NULL UNIQUE,
    invited_by   BLOB    REFERENCES accounts (id),
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    accepted_at  INTEGER,
    accepted_by  BLOB    REFERENCES accounts (id),
    CHECK ((built_in IS NULL) <> (custom IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_organization ON invitations (organization, id);
CREATE INDEX invitations_expires_at ON invitations (expires_at);

-- What happened to accounts and in organizations, for those whom it concerns to read.
CREATE TABLE audit (
    id           BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    REFERENCES organizations (id),
    account      BLOB    REFERENCES accounts (id),
    at           INTEGER NOT NULL,
    what         TEXT    NOT NULL,
    detail       TEXT    NOT NULL,
    address      TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_account ON audit (account, id);
CREATE INDEX audit_organization ON audit (organization, id);
