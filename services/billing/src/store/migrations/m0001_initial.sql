CREATE TABLE product (
    product_id TEXT COLLATE "C" PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    recorded_us BIGINT NOT NULL
);

CREATE TABLE product_version (
    product_id TEXT COLLATE "C" NOT NULL REFERENCES product (product_id),
    version INTEGER NOT NULL CHECK (version >= 1),
    effective_us BIGINT NOT NULL,
    recorded_us BIGINT NOT NULL,
    product TEXT NOT NULL,
    PRIMARY KEY (product_id, version)
);

CREATE TABLE price_list (
    product_id TEXT COLLATE "C" NOT NULL REFERENCES product (product_id),
    currency TEXT COLLATE "C" NOT NULL,
    effective_us BIGINT NOT NULL,
    recorded_us BIGINT NOT NULL,
    prices TEXT NOT NULL,
    PRIMARY KEY (product_id, currency, effective_us)
);

CREATE TABLE account (
    account_id TEXT COLLATE "C" PRIMARY KEY,
    display_name TEXT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    balance_minor BIGINT NOT NULL CHECK (balance_minor >= 0),
    created_us BIGINT NOT NULL
);

CREATE TABLE quote (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES account (account_id),
    quote_id TEXT COLLATE "C" PRIMARY KEY,
    pin TEXT NOT NULL,
    resource_id TEXT COLLATE "C",
    term_index INTEGER,
    currency TEXT COLLATE "C" NOT NULL,
    total_minor BIGINT NOT NULL,
    lines TEXT NOT NULL,
    decision_us BIGINT NOT NULL,
    expire_us BIGINT NOT NULL,
    invoice_id TEXT COLLATE "C",
    CHECK ((resource_id IS NULL) = (term_index IS NULL))
);

CREATE TABLE invoice (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES account (account_id),
    invoice_id TEXT COLLATE "C" PRIMARY KEY,
    seller TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    quote_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES quote (quote_id),
    resource_id TEXT COLLATE "C",
    term_index INTEGER,
    currency TEXT COLLATE "C" NOT NULL,
    total_minor BIGINT NOT NULL CHECK (total_minor >= 0),
    credited_minor BIGINT NOT NULL CHECK (credited_minor >= 0),
    held_minor BIGINT NOT NULL CHECK (held_minor >= 0),
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('PAID', 'OPEN')),
    issued_us BIGINT NOT NULL,
    UNIQUE (seller, number),
    CHECK (credited_minor + held_minor <= total_minor)
);
CREATE INDEX invoice_by_account ON invoice (account_id, issued_us, invoice_id);
CREATE INDEX invoice_by_time ON invoice (issued_us, invoice_id);
CREATE INDEX invoice_by_subject ON invoice (resource_id, term_index);

CREATE TABLE invoice_line (
    account_id TEXT COLLATE "C" NOT NULL,
    invoice_id TEXT COLLATE "C" NOT NULL REFERENCES invoice (invoice_id),
    line_number INTEGER NOT NULL CHECK (line_number >= 1),
    amount_minor BIGINT NOT NULL CHECK (amount_minor >= 0),
    credited_minor BIGINT NOT NULL CHECK (credited_minor >= 0),
    held_minor BIGINT NOT NULL CHECK (held_minor >= 0),
    line TEXT NOT NULL,
    PRIMARY KEY (invoice_id, line_number),
    CHECK (credited_minor + held_minor <= amount_minor)
);

CREATE TABLE credit_note (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES account (account_id),
    credit_note_id TEXT COLLATE "C" PRIMARY KEY,
    seller TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    invoice_id TEXT COLLATE "C" NOT NULL REFERENCES invoice (invoice_id),
    currency TEXT COLLATE "C" NOT NULL,
    total_minor BIGINT NOT NULL CHECK (total_minor > 0),
    reason TEXT NOT NULL,
    issued_us BIGINT NOT NULL,
    UNIQUE (seller, number)
);
CREATE INDEX credit_note_by_account ON credit_note (account_id, issued_us, credit_note_id);
CREATE INDEX credit_note_by_invoice ON credit_note (invoice_id);

CREATE TABLE credit_note_line (
    account_id TEXT COLLATE "C" NOT NULL,
    credit_note_id TEXT COLLATE "C" NOT NULL REFERENCES credit_note (credit_note_id),
    line_number INTEGER NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (credit_note_id, line_number)
);

CREATE TABLE refund (
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
    UNIQUE (account_id, resource_id, term_index)
);
CREATE INDEX refund_by_time ON refund (decision_us, refund_id);

CREATE TABLE ledger_entry (
    account_id TEXT COLLATE "C" NOT NULL REFERENCES account (account_id),
    entry_id TEXT COLLATE "C" PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    invoice_id TEXT COLLATE "C",
    credit_note_id TEXT COLLATE "C",
    reference TEXT NOT NULL,
    entry_us BIGINT NOT NULL
);
CREATE INDEX ledger_entry_by_account ON ledger_entry (account_id, entry_us, entry_id);

CREATE TABLE posting (
    account_id TEXT COLLATE "C" NOT NULL,
    entry_id TEXT COLLATE "C" NOT NULL REFERENCES ledger_entry (entry_id),
    posting_number INTEGER NOT NULL,
    ledger_account TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL,
    PRIMARY KEY (entry_id, posting_number)
);

CREATE TABLE number_series (
    seller TEXT COLLATE "C" NOT NULL,
    series TEXT COLLATE "C" NOT NULL,
    last_number BIGINT NOT NULL,
    PRIMARY KEY (seller, series)
);
