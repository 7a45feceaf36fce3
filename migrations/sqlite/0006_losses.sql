-- The loss ledger: what was refused of which device, as ranges of batch numbers.
CREATE TABLE losses (
    device       BLOB    NOT NULL,
    -- Empty where no number could be read: such batches are counted by the hour.
    boot         TEXT    NOT NULL,
    cause        TEXT    NOT NULL,
    -- Without a boot: the hour since 1970.
    from_seq     INTEGER NOT NULL,
    organization BLOB    NOT NULL,
    -- Orders by first_at, for lists.
    id           BLOB    NOT NULL,
    to_seq       INTEGER NOT NULL,
    batches      INTEGER NOT NULL,
    recovered    INTEGER NOT NULL,
    first_at     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    PRIMARY KEY (device, boot, cause, from_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX losses_id ON losses (device, id);
