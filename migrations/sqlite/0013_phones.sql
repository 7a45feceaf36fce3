-- Phones belong to people: whose a device is, and which application registered it; none where it is the organization's own.
ALTER TABLE devices ADD COLUMN account BLOB REFERENCES accounts (id);
ALTER TABLE devices ADD COLUMN client BLOB REFERENCES clients (id);
CREATE INDEX devices_account ON devices (account, id);

-- Consent is given to an organization. Until now nobody could give any, so nothing is lost.
DROP TABLE consents;
CREATE TABLE consents (
    organization BLOB    NOT NULL REFERENCES organizations (id),
    account      BLOB    NOT NULL REFERENCES accounts (id),
    purpose      TEXT    NOT NULL,
    version      TEXT    NOT NULL,
    given_at     INTEGER NOT NULL,
    withdrawn_at INTEGER,
    PRIMARY KEY (account, organization, purpose, version)
) STRICT, WITHOUT ROWID;
