-- Keys of pseudonyms are sealed with a key that is not in the database; those from before this migration are sealed at the next
-- start. One that was destroyed is empty and keeps its row, so that its number is never another's.
ALTER TABLE pseudonym_keys ADD COLUMN sealed BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE pseudonym_keys ADD COLUMN destroyed_at BIGINT;

-- What was counted of one subject.
CREATE INDEX visits_of_subject ON visits (organization, subject);

-- Pseudonyms of people who had their data erased, and whom what the raw log still says of them is counted as. A row goes when
-- the raw log cannot say anything of it any more.
CREATE TABLE tombstones (
    organization UUID   NOT NULL REFERENCES organizations (id),
    subject      UUID   NOT NULL,
    replacement  UUID   NOT NULL,
    erased_at    BIGINT NOT NULL,
    PRIMARY KEY (organization, subject)
);
CREATE INDEX tombstones_erased_at ON tombstones (erased_at);
