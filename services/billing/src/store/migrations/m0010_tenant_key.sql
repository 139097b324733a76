CREATE TABLE quote_kept AS SELECT * FROM quote;
CREATE TABLE invoice_kept AS SELECT * FROM invoice;
CREATE TABLE invoice_line_kept AS SELECT * FROM invoice_line;
CREATE TABLE credit_note_kept AS SELECT * FROM credit_note;
CREATE TABLE credit_note_line_kept AS SELECT * FROM credit_note_line;
CREATE TABLE refund_kept AS SELECT * FROM refund;
CREATE TABLE ledger_entry_kept AS SELECT * FROM ledger_entry;
CREATE TABLE posting_kept AS SELECT * FROM posting;

DROP TABLE posting;
DROP TABLE ledger_entry;
DROP TABLE refund;
DROP TABLE credit_note_line;
DROP TABLE credit_note;
DROP TABLE invoice_line;
DROP TABLE invoice;
DROP TABLE quote;

CREATE TABLE quote (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES account (account_id),
    quote_id TEXT COLLATE "C" NOT NULL,
    pin TEXT NOT NULL,
    resource_id TEXT COLLATE "C",
    term_index INTEGER,
    currency TEXT COLLATE "C" NOT NULL,
    total_minor BIGINT NOT NULL,
    lines TEXT NOT NULL,
    decision_us BIGINT NOT NULL,
    expire_us BIGINT NOT NULL,
    invoice_id TEXT COLLATE "C",
    PRIMARY KEY (account_id, quote_id),
    CHECK ((resource_id IS NULL) = (term_index IS NULL))
);

CREATE TABLE invoice (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES account (account_id),
    invoice_id TEXT COLLATE "C" NOT NULL,
    seller TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    quote_id TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C",
    term_index INTEGER,
    currency TEXT COLLATE "C" NOT NULL,
    total_minor BIGINT NOT NULL CHECK (total_minor >= 0),
    credited_minor BIGINT NOT NULL CHECK (credited_minor >= 0),
    held_minor BIGINT NOT NULL CHECK (held_minor >= 0),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('PAID', 'OPEN')),
    issued_us BIGINT NOT NULL,
    accept_us BIGINT NOT NULL,
    due_us BIGINT,
    paid_minor BIGINT NOT NULL CHECK (paid_minor >= 0),
    returned_minor BIGINT NOT NULL CHECK (returned_minor >= 0 AND returned_minor <= credited_minor AND returned_minor <= paid_minor),
    line_bytes BIGINT NOT NULL,
    PRIMARY KEY (account_id, invoice_id),
    UNIQUE (account_id, seller, number),
    UNIQUE (account_id, quote_id),
    FOREIGN KEY (account_id, quote_id) REFERENCES quote (account_id, quote_id),
    CHECK (credited_minor + held_minor <= total_minor),
    CHECK (credited_minor - returned_minor <= total_minor - paid_minor),
    CHECK ((state = 'OPEN') = (credited_minor - returned_minor < total_minor - paid_minor)),
    CHECK (state = 'PAID' OR due_us IS NOT NULL)
);

CREATE TABLE invoice_line (
    account_id TEXT COLLATE "C" NOT NULL,
    invoice_id TEXT COLLATE "C" NOT NULL,
    line_number INTEGER NOT NULL CHECK (line_number >= 1),
    amount_minor BIGINT NOT NULL CHECK (amount_minor >= 0),
    credited_minor BIGINT NOT NULL CHECK (credited_minor >= 0),
    held_minor BIGINT NOT NULL CHECK (held_minor >= 0),
    line TEXT NOT NULL,
    PRIMARY KEY (account_id, invoice_id, line_number),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, invoice_id),
    CHECK (credited_minor + held_minor <= amount_minor)
);

CREATE TABLE credit_note (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES account (account_id),
    credit_note_id TEXT COLLATE "C" NOT NULL,
    seller TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    invoice_id TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    total_minor BIGINT NOT NULL CHECK (total_minor > 0),
    returned_minor BIGINT NOT NULL CHECK (returned_minor >= 0 AND returned_minor <= total_minor),
    reason TEXT NOT NULL,
    issued_us BIGINT NOT NULL,
    PRIMARY KEY (account_id, credit_note_id),
    UNIQUE (account_id, seller, number),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, invoice_id)
);

CREATE TABLE credit_note_line (
    account_id TEXT COLLATE "C" NOT NULL,
    credit_note_id TEXT COLLATE "C" NOT NULL,
    line_number INTEGER NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (account_id, credit_note_id, line_number),
    FOREIGN KEY (account_id, credit_note_id) REFERENCES credit_note (account_id, credit_note_id)
);

CREATE TABLE refund (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES account (account_id),
    refund_id TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    term_index INTEGER NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    creditable_minor BIGINT NOT NULL,
    refunded_minor BIGINT NOT NULL,
    explanation TEXT NOT NULL,
    first_issuance_us BIGINT,
    counted_from TEXT COLLATE "C" NOT NULL CHECK (counted_from IN ('FIRST_ISSUANCE', 'PURCHASE')),
    count_us BIGINT,
    full_until_us BIGINT,
    review_until_us BIGINT,
    decision_us BIGINT NOT NULL,
    last_invoice_number BIGINT,
    credit_note_ids TEXT NOT NULL,
    reviewer TEXT,
    review_reason TEXT,
    review_us BIGINT,
    PRIMARY KEY (account_id, refund_id),
    CHECK ((review_us IS NULL) = (reviewer IS NULL) AND (review_us IS NULL) = (review_reason IS NULL))
);

CREATE TABLE ledger_entry (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES account (account_id),
    entry_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    invoice_id TEXT COLLATE "C",
    credit_note_id TEXT COLLATE "C",
    reverses_entry_id TEXT COLLATE "C",
    reference TEXT NOT NULL,
    entry_us BIGINT NOT NULL,
    PRIMARY KEY (account_id, entry_id),
    UNIQUE (account_id, reverses_entry_id),
    FOREIGN KEY (account_id, reverses_entry_id) REFERENCES ledger_entry (account_id, entry_id)
);

CREATE TABLE posting (
    account_id TEXT COLLATE "C" NOT NULL,
    entry_id TEXT COLLATE "C" NOT NULL,
    posting_number INTEGER NOT NULL,
    ledger_account TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL,
    PRIMARY KEY (account_id, entry_id, posting_number),
    FOREIGN KEY (account_id, entry_id) REFERENCES ledger_entry (account_id, entry_id)
);

INSERT INTO quote (
    account_id, quote_id, pin, resource_id, term_index, currency, total_minor, lines, decision_us, expire_us, invoice_id
)
SELECT
    account_id, quote_id, pin, resource_id, term_index, currency, total_minor, lines, decision_us, expire_us, invoice_id
FROM quote_kept;
INSERT INTO invoice (
    account_id, invoice_id, seller, number, quote_id, resource_id, term_index, currency, total_minor, credited_minor,
    held_minor, state, issued_us, accept_us, due_us, paid_minor, returned_minor, line_bytes
)
SELECT
    account_id, invoice_id, seller, number, quote_id, resource_id, term_index, currency, total_minor, credited_minor,
    held_minor, state, issued_us, accept_us, due_us, paid_minor, returned_minor, line_bytes
FROM invoice_kept;
INSERT INTO invoice_line (account_id, invoice_id, line_number, amount_minor, credited_minor, held_minor, line)
SELECT account_id, invoice_id, line_number, amount_minor, credited_minor, held_minor, line
FROM invoice_line_kept;
INSERT INTO credit_note (
    account_id, credit_note_id, seller, number, invoice_id, currency, total_minor, returned_minor, reason, issued_us
)
SELECT
    account_id, credit_note_id, seller, number, invoice_id, currency, total_minor, returned_minor, reason, issued_us
FROM credit_note_kept;
INSERT INTO credit_note_line (account_id, credit_note_id, line_number, amount_minor)
SELECT account_id, credit_note_id, line_number, amount_minor
FROM credit_note_line_kept;
INSERT INTO refund (
    account_id, refund_id, resource_id, term_index, state, currency, creditable_minor, refunded_minor, explanation,
    first_issuance_us, counted_from, count_us, full_until_us, review_until_us, decision_us, last_invoice_number,
    credit_note_ids, reviewer, review_reason, review_us
)
SELECT
    account_id, refund_id, resource_id, term_index, state, currency, creditable_minor, refunded_minor, explanation,
    first_issuance_us, counted_from, count_us, full_until_us, review_until_us, decision_us, last_invoice_number,
    credit_note_ids, reviewer, review_reason, review_us
FROM refund_kept;
INSERT INTO ledger_entry (
    account_id, entry_id, kind, currency, invoice_id, credit_note_id, reverses_entry_id, reference, entry_us
)
SELECT account_id, entry_id, kind, currency, invoice_id, credit_note_id, reverses_entry_id, reference, entry_us
FROM ledger_entry_kept;
INSERT INTO posting (account_id, entry_id, posting_number, ledger_account, amount_minor)
SELECT account_id, entry_id, posting_number, ledger_account, amount_minor
FROM posting_kept;

DROP TABLE quote_kept;
DROP TABLE invoice_kept;
DROP TABLE invoice_line_kept;
DROP TABLE credit_note_kept;
DROP TABLE credit_note_line_kept;
DROP TABLE refund_kept;
DROP TABLE ledger_entry_kept;
DROP TABLE posting_kept;

CREATE INDEX quote_by_id ON quote (quote_id);
CREATE INDEX invoice_by_id ON invoice (invoice_id);
CREATE INDEX invoice_by_account ON invoice (account_id, issued_us, invoice_id);
CREATE INDEX invoice_by_time ON invoice (issued_us, invoice_id);
CREATE INDEX invoice_by_subject ON invoice (resource_id, term_index);
CREATE INDEX invoice_by_number ON invoice (seller, number);
CREATE INDEX invoice_open ON invoice (account_id, due_us, invoice_id) WHERE state = 'OPEN';
CREATE INDEX credit_note_by_account ON credit_note (account_id, issued_us, credit_note_id);
CREATE INDEX credit_note_by_invoice ON credit_note (invoice_id);
CREATE INDEX refund_by_id ON refund (refund_id);
CREATE INDEX refund_by_time ON refund (decision_us, refund_id);
CREATE INDEX refund_by_subject ON refund (account_id, resource_id, term_index);
CREATE INDEX ledger_entry_by_id ON ledger_entry (entry_id);
CREATE INDEX ledger_entry_by_account ON ledger_entry (account_id, entry_us, entry_id);
