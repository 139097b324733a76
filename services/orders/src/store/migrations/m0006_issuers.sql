ALTER TABLE certificate ADD COLUMN issuer_sha256 BYTEA;
CREATE UNIQUE INDEX certificate_by_key ON certificate (account_id, serial_hex, issuer_sha256);
