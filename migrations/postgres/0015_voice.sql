-- What people linked to voice assistants: who is told what, and how it is with the link.
CREATE TABLE assistant_links (
    organization UUID    NOT NULL REFERENCES organizations (id),
    account      UUID    NOT NULL REFERENCES accounts (id),
    assistant    TEXT    NOT NULL,
    grant_id     UUID    NOT NULL REFERENCES grants (id),
    venues       BOOLEAN NOT NULL,
    state        TEXT    NOT NULL,
    tokens       BYTEA,
    linked_at    BIGINT  NOT NULL,
    changed_at   BIGINT  NOT NULL,
    PRIMARY KEY (organization, account, assistant)
);

-- The PINs that assistants have to ask for, hashed, and how often a wrong one was said.
CREATE TABLE device_pins (
    device       UUID    NOT NULL PRIMARY KEY REFERENCES devices (id),
    organization UUID    NOT NULL REFERENCES organizations (id),
    pin          BYTEA   NOT NULL,
    failures     BIGINT  NOT NULL,
    locked_until BIGINT,
    changed_at   BIGINT  NOT NULL
);
