ALTER TABLE certificate_order ADD COLUMN san_license_id TEXT COLLATE "C";
ALTER TABLE certificate_order ADD COLUMN reservation_id TEXT COLLATE "C";
ALTER TABLE certificate ADD COLUMN san_license_id TEXT COLLATE "C";
ALTER TABLE certificate ADD COLUMN san_certificate_id TEXT COLLATE "C";
ALTER TABLE certificate ADD COLUMN sans_returned_us BIGINT;
CREATE INDEX certificate_sans_to_return ON certificate (revoke_us, certificate_id) WHERE san_certificate_id IS NOT NULL AND sans_returned_us IS NULL;
