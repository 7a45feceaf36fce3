-- Phones belong to people: whose a device is, and which application registered it; none where it is the organization's own.
ALTER TABLE devices ADD COLUMN account UUID REFERENCES accounts (id);
ALTER TABLE devices ADD COLUMN client UUID REFERENCES clients (id);
CREATE INDEX devices_account ON devices (account, id);

-- Consent is given to an organization. Until now nobody could give any, so nothing is lost.
DROP TABLE consents;
CREATE TABLE consents (
    organization UUID    NOT NULL REFERENCES organizations (id),
    account      UUID    NOT NULL REFERENCES accounts (id),
    purpose      TEXT    NOT NULL,
    version      TEXT    NOT NULL,
    given_at     BIGINT  NOT NULL,
    withdrawn_at BIGINT,
    PRIMARY KEY (account, organization, purpose, version)
);
