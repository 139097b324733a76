ALTER TABLE domain_change ADD COLUMN charged_converted BIGINT NOT NULL DEFAULT 0;
ALTER TABLE domain_change ADD COLUMN next_converted BIGINT NOT NULL DEFAULT 0;
