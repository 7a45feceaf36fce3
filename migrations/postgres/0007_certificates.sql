-- The certificates that devices sign in with, under the SHA-256 of their DER form. A device may have several, so that it
-- gets the next one before the last one runs out.
CREATE TABLE certificates (
    fingerprint  BYTEA   NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL REFERENCES organizations (id),
    device       UUID    NOT NULL REFERENCES devices (id),
    serial       TEXT    NOT NULL,
    not_before   BIGINT  NOT NULL,
    not_after    BIGINT  NOT NULL,
    issued_at    BIGINT  NOT NULL,
    revoked_at   BIGINT
);
CREATE INDEX certificates_device ON certificates (device, issued_at);
