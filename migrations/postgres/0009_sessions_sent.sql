-- The position up to which a session's messages were sent at least once; unknown while its client is connected.
ALTER TABLE sessions ADD COLUMN sent_through BIGINT;
