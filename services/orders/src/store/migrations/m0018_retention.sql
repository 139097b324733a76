DROP INDEX domain_quote_by_order;
CREATE INDEX domain_quote_by_age ON domain_quote (quote_id);

ALTER TABLE early_revocation ADD COLUMN kept_us BIGINT NOT NULL DEFAULT 0;
UPDATE early_revocation SET kept_us = san_revoke_us;
CREATE INDEX early_revocation_by_age ON early_revocation (kept_us);
