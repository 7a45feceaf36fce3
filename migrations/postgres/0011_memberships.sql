-- What people may do in an organization.
CREATE TABLE roles (
    id           UUID    NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL REFERENCES organizations (id),
    name         TEXT    NOT NULL,
    scopes       JSONB   NOT NULL,
    created_at   BIGINT  NOT NULL,
    UNIQUE (organization, name)
);

-- A role is either built in or one of the organization's own.
CREATE TABLE memberships (
    organization UUID    NOT NULL REFERENCES organizations (id),
    account      UUID    NOT NULL REFERENCES accounts (id),
    built_in     TEXT,
    custom       UUID    REFERENCES roles (id),
    created_at   BIGINT  NOT NULL,
    PRIMARY KEY (organization, account),
    CHECK ((built_in IS NULL) <> (custom IS NULL))
);
CREATE INDEX memberships_account ON memberships (account);

CREATE TABLE invitations (
    id           UUID    NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL REFERENCES organizations (id),
    email        TEXT    NOT NULL,
    built_in     TEXT,
    custom       UUID    REFERENCES roles (id),
    hash         BYTEA   NOT NULL UNIQUE,
    invited_by   UUID    REFERENCES accounts (id),
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    accepted_at  BIGINT,
    accepted_by  UUID    REFERENCES accounts (id),
    CHECK ((built_in IS NULL) <> (custom IS NULL))
);
CREATE INDEX invitations_organization ON invitations (organization, id);
CREATE INDEX invitations_expires_at ON invitations (expires_at);

-- What happened to accounts and in organizations, for those whom it concerns to read.
CREATE TABLE audit (
    id           UUID    NOT NULL PRIMARY KEY,
    organization UUID    REFERENCES organizations (id),
    account      UUID    REFERENCES accounts (id),
    at           BIGINT  NOT NULL,
    what         TEXT    NOT NULL,
    detail       JSONB   NOT NULL,
    address      TEXT
);
CREATE INDEX audit_account ON audit (account, id);
CREATE INDEX audit_organization ON audit (organization, id);
