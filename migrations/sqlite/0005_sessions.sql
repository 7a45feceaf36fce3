-- What the broker must not forget of its sessions. It writes the rows of a session in the session's own order and reads
-- them only at its start; nothing refers to a device or a key, because a session ends a moment later than they do.
--
-- Client ids, filters and topics may be as long as a message allows, which no index takes: rows are found by a digest.
CREATE TABLE sessions (
    id           INTEGER NOT NULL PRIMARY KEY,
    -- All zero for the sessions of nobody in particular.
    organization BLOB    NOT NULL,
    -- The digest of holder, holder_id and client_id.
    key          BLOB    NOT NULL UNIQUE,
    holder       TEXT    NOT NULL,
    holder_id    BLOB,
    client_id    TEXT    NOT NULL,
    expiry_s     INTEGER NOT NULL,
    expires_at   INTEGER,
    will         BLOB,
    will_delay_s INTEGER
) STRICT;

CREATE TABLE session_subscriptions (
    session      INTEGER NOT NULL,
    -- The digest of the filter.
    key          BLOB    NOT NULL,
    organization BLOB    NOT NULL,
    filter       TEXT    NOT NULL,
    options      INTEGER NOT NULL,
    identifier   INTEGER,
    PRIMARY KEY (session, key)
) STRICT, WITHOUT ROWID;

-- What waits for a session. The body is in messages, once for all sessions that it waits for.
CREATE TABLE session_queue (
    session      INTEGER NOT NULL,
    position     INTEGER NOT NULL,
    organization BLOB    NOT NULL,
    message      INTEGER NOT NULL,
    qos          INTEGER NOT NULL,
    retain       INTEGER NOT NULL,
    released     INTEGER NOT NULL,
    -- Four bytes each, little-endian.
    identifiers  BLOB    NOT NULL,
    PRIMARY KEY (session, position)
) STRICT, WITHOUT ROWID;
-- Who still holds a message, and whose it is, without touching the queue.
CREATE INDEX session_queue_message ON session_queue (message, organization);

-- Bodies may be larger than a page, which is why these rows and those of retained keep their rowid.
CREATE TABLE messages (
    id           INTEGER NOT NULL PRIMARY KEY,
    organization BLOB    NOT NULL,
    body         BLOB    NOT NULL
) STRICT;

-- The packet ids that a client has used and not yet released.
CREATE TABLE session_received (
    session      INTEGER NOT NULL,
    packet       INTEGER NOT NULL,
    organization BLOB    NOT NULL,
    PRIMARY KEY (session, packet)
) STRICT, WITHOUT ROWID;

CREATE TABLE retained (
    organization BLOB    NOT NULL,
    -- The digest of the topic.
    key          BLOB    NOT NULL,
    topic        TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    expires_at   INTEGER,
    PRIMARY KEY (organization, key)
) STRICT;
