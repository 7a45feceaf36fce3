-- A certificate knows the key that it is for, so that nobody comes in with a copied request; which certificate it was renewed
-- with, so that both end together; and who tried its key again.
ALTER TABLE certificates ADD COLUMN key_hash BLOB;
ALTER TABLE certificates ADD COLUMN renewed_with BLOB;
ALTER TABLE certificates ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;
ALTER TABLE certificates ADD COLUMN last_replayed_at INTEGER;
ALTER TABLE certificates ADD COLUMN last_replayed_from TEXT;
CREATE INDEX certificates_key_hash ON certificates (key_hash);
CREATE INDEX certificates_renewed_with ON certificates (renewed_with);

-- From where a claim key was refused last.
ALTER TABLE claim_keys ADD COLUMN last_refused_from TEXT;
