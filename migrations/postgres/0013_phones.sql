-- Phones belong to people: whose a device is; none where it is the organization's own.
ALTER TABLE devices ADD COLUMN account UUID REFERENCES accounts (id);
CREATE INDEX devices_account ON devices (account, id);
