-- The loss ledger: what was refused of which device, as ranges of batch numbers.
CREATE TABLE losses (
    device       UUID    NOT NULL,
    -- Empty where no number could be read: such batches are counted by the hour.
    boot         TEXT    NOT NULL,
    cause        TEXT    NOT NULL,
    -- Without a boot: the hour since 1970.
    from_seq     BIGINT  NOT NULL,
    organization UUID    NOT NULL,
    -- Orders by first_at, for lists.
    id           UUID    NOT NULL,
    to_seq       BIGINT  NOT NULL,
    batches      BIGINT  NOT NULL,
    recovered    BIGINT  NOT NULL,
    first_at     BIGINT  NOT NULL,
    last_at      BIGINT  NOT NULL,
    PRIMARY KEY (device, boot, cause, from_seq)
);
CREATE INDEX losses_id ON losses (device, id);
