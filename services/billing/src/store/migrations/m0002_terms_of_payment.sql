ALTER TABLE account ADD COLUMN kind TEXT COLLATE "C" NOT NULL DEFAULT 'PREPAID' CHECK (kind IN ('PREPAID', 'ON_TERMS'));
ALTER TABLE account ADD COLUMN credit_limit_minor BIGINT CHECK (credit_limit_minor >= 0);
ALTER TABLE account ADD COLUMN net_days INTEGER CHECK (net_days >= 0);
ALTER TABLE account ADD COLUMN overdue_grace_days INTEGER CHECK (overdue_grace_days >= 0);
ALTER TABLE account ADD COLUMN receivable_minor BIGINT NOT NULL DEFAULT 0 CHECK (receivable_minor >= 0);
ALTER TABLE account ADD COLUMN last_entry_us BIGINT NOT NULL DEFAULT 0;
UPDATE account SET last_entry_us = COALESCE((SELECT MAX(ledger_entry.entry_us) FROM ledger_entry WHERE ledger_entry.account_id = account.account_id), created_us);

ALTER TABLE invoice ADD COLUMN paid_minor BIGINT NOT NULL DEFAULT 0 CHECK (paid_minor >= 0);
ALTER TABLE invoice ADD COLUMN returned_minor BIGINT NOT NULL DEFAULT 0 CHECK (returned_minor >= 0 AND returned_minor <= credited_minor AND returned_minor <= paid_minor AND paid_minor + credited_minor - returned_minor <= total_minor);
UPDATE invoice SET paid_minor = total_minor, returned_minor = credited_minor;
ALTER TABLE invoice ADD COLUMN due_us BIGINT CHECK ((state = 'OPEN') = (paid_minor + credited_minor - returned_minor < total_minor) AND (state = 'PAID' OR due_us IS NOT NULL));
ALTER TABLE invoice ADD COLUMN line_bytes BIGINT NOT NULL DEFAULT 0;
UPDATE invoice SET line_bytes = (SELECT COALESCE(SUM(LENGTH(invoice_line.line)), 0) FROM invoice_line WHERE invoice_line.invoice_id = invoice.invoice_id);
CREATE INDEX invoice_open ON invoice (account_id, due_us, invoice_id) WHERE state = 'OPEN';

ALTER TABLE credit_note ADD COLUMN returned_minor BIGINT NOT NULL DEFAULT 0 CHECK (returned_minor >= 0 AND returned_minor <= total_minor);
UPDATE credit_note SET returned_minor = total_minor;

ALTER TABLE refund ADD COLUMN reviewer TEXT;
ALTER TABLE refund ADD COLUMN review_reason TEXT;
ALTER TABLE refund ADD COLUMN review_us BIGINT CHECK ((review_us IS NULL) = (reviewer IS NULL) AND (review_us IS NULL) = (review_reason IS NULL));

ALTER TABLE ledger_entry ADD COLUMN reverses_entry_id TEXT COLLATE "C" REFERENCES ledger_entry (entry_id);
CREATE UNIQUE INDEX ledger_entry_by_reverses ON ledger_entry (reverses_entry_id);
