-- The certificates that devices sign in with, under the SHA-256 of their DER form. A device may have several, so that it
-- gets the next one before the last one runs out.
CREATE TABLE certificates (
    fingerprint  BLOB    NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL REFERENCES organizations (id),
    device       BLOB    NOT NULL REFERENCES devices (id),
    serial       TEXT    NOT NULL,
    not_before   INTEGER NOT NULL,
    not_after    INTEGER NOT NULL,
    issued_at    INTEGER NOT NULL,
    revoked_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX certificates_device ON certificates (device, issued_at);
