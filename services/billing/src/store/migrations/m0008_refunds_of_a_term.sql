CREATE TABLE refund_of_term (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES account (account_id),
    refund_id TEXT COLLATE "C" PRIMARY KEY,
    resource_id TEXT COLLATE "C" NOT NULL,
    term_index INTEGER NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    creditable_minor BIGINT NOT NULL,
    refunded_minor BIGINT NOT NULL,
    explanation TEXT NOT NULL,
    first_issuance_us BIGINT,
    full_until_us BIGINT,
    review_until_us BIGINT,
    decision_us BIGINT NOT NULL,
    credit_note_ids TEXT NOT NULL,
    reviewer TEXT,
    review_reason TEXT,
    review_us BIGINT,
    counted_from TEXT COLLATE "C" NOT NULL DEFAULT 'FIRST_ISSUANCE' CHECK (counted_from IN ('FIRST_ISSUANCE', 'PURCHASE')),
    count_us BIGINT,
    last_invoice_number BIGINT,
    CHECK ((review_us IS NULL) = (reviewer IS NULL) AND (review_us IS NULL) = (review_reason IS NULL))
);
INSERT INTO refund_of_term (
    account_id, refund_id, resource_id, term_index, state, currency, creditable_minor, refunded_minor, explanation,
    first_issuance_us, full_until_us, review_until_us, decision_us, credit_note_ids, reviewer, review_reason, review_us,
    counted_from, count_us
)
SELECT
    account_id, refund_id, resource_id, term_index, state, currency, creditable_minor, refunded_minor, explanation,
    first_issuance_us, full_until_us, review_until_us, decision_us, credit_note_ids, reviewer, review_reason, review_us,
    counted_from, count_us
FROM refund;
DROP TABLE refund;
ALTER TABLE refund_of_term RENAME TO refund;
CREATE INDEX refund_by_time ON refund (decision_us, refund_id);
CREATE INDEX refund_by_subject ON refund (account_id, resource_id, term_index);
