-- What the broker must not forget of its sessions. It writes the rows of a session in the session's own order and reads
-- them only at its start; nothing refers to a device or a key, because a session ends a moment later than they do.
--
-- Client ids, filters and topics may be as long as a message allows, which no index takes: rows are found by a digest.
CREATE TABLE sessions (
    id           BIGINT  NOT NULL PRIMARY KEY,
    -- Nil for the sessions of nobody in particular.
    organization UUID    NOT NULL,
    -- The digest of holder, holder_id and client_id.
    key          UUID    NOT NULL UNIQUE,
    holder       TEXT    NOT NULL,
    holder_id    UUID,
    client_id    TEXT    NOT NULL,
    expiry_s     BIGINT  NOT NULL,
    expires_at   BIGINT,
    will         BYTEA,
    will_delay_s BIGINT
);

CREATE TABLE session_subscriptions (
    session      BIGINT  NOT NULL,
    -- The digest of the filter.
    key          UUID    NOT NULL,
    organization UUID    NOT NULL,
    filter       TEXT    NOT NULL,
    options      BIGINT  NOT NULL,
    identifier   BIGINT,
    PRIMARY KEY (session, key)
);

-- What waits for a session. The body is in messages, once for all sessions that it waits for.
CREATE TABLE session_queue (
    session      BIGINT  NOT NULL,
    position     BIGINT  NOT NULL,
    organization UUID    NOT NULL,
    message      BIGINT  NOT NULL,
    qos          BIGINT  NOT NULL,
    retain       BOOLEAN NOT NULL,
    released     BOOLEAN NOT NULL,
    -- Four bytes each, little-endian.
    identifiers  BYTEA   NOT NULL,
    PRIMARY KEY (session, position)
);
-- Who still holds a message, and whose it is, without touching the queue.
CREATE INDEX session_queue_message ON session_queue (message, organization);

CREATE TABLE messages (
    id           BIGINT  NOT NULL PRIMARY KEY,
    organization UUID    NOT NULL,
    body         BYTEA   NOT NULL
);
-- Most bodies are short-lived: compressing them costs more than it saves.
ALTER TABLE messages ALTER COLUMN body SET STORAGE EXTERNAL;

-- The packet ids that a client has used and not yet released.
CREATE TABLE session_received (
    session      BIGINT  NOT NULL,
    packet       BIGINT  NOT NULL,
    organization UUID    NOT NULL,
    PRIMARY KEY (session, packet)
);

CREATE TABLE retained (
    organization UUID    NOT NULL,
    -- The digest of the topic.
    key          UUID    NOT NULL,
    topic        TEXT    NOT NULL,
    body         BYTEA   NOT NULL,
    expires_at   BIGINT,
    PRIMARY KEY (organization, key)
);
