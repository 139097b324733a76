ALTER TABLE invoice ADD COLUMN accept_us BIGINT NOT NULL DEFAULT 0;
UPDATE invoice SET accept_us = issued_us;
ALTER TABLE refund ADD COLUMN counted_from TEXT COLLATE "C" NOT NULL DEFAULT 'FIRST_ISSUANCE' CHECK (counted_from IN ('FIRST_ISSUANCE', 'PURCHASE'));
ALTER TABLE refund ADD COLUMN count_us BIGINT;
UPDATE refund SET count_us = first_issuance_us;
