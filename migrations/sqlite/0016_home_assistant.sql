-- Organizations whose devices are announced to Home Assistant, and what the topics of the announcements begin with.
CREATE TABLE home_assistant (
    organization BLOB    NOT NULL PRIMARY KEY REFERENCES organizations (id),
    prefix       TEXT    NOT NULL,
    enabled_at   INTEGER NOT NULL
) STRICT;
