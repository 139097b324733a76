CREATE TABLE certificate_order (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" PRIMARY KEY,
    product_id TEXT COLLATE "C" NOT NULL,
    progress TEXT COLLATE "C" NOT NULL CHECK (progress IN ('PENDING', 'PAID', 'ISSUED', 'DELETED')),
    revision BIGINT NOT NULL,
    common_name TEXT COLLATE "C" NOT NULL,
    server_software TEXT NOT NULL,
    csr_pem TEXT,
    csr_spki_sha256 BYTEA,
    term_index BIGINT NOT NULL,
    end_us BIGINT NOT NULL,
    issuance_pending_us BIGINT,
    create_us BIGINT NOT NULL,
    decision_us BIGINT NOT NULL,
    delete_us BIGINT,
    refund BYTEA
);
CREATE INDEX certificate_order_by_age ON certificate_order (create_us, order_id);
CREATE INDEX certificate_order_by_account ON certificate_order (account_id, create_us, order_id);
CREATE INDEX certificate_order_to_issue ON certificate_order (issuance_pending_us, order_id) WHERE issuance_pending_us IS NOT NULL;

CREATE TABLE order_term (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_order (order_id),
    term_index BIGINT NOT NULL,
    anchor_us BIGINT NOT NULL,
    first_month BIGINT NOT NULL,
    months BIGINT NOT NULL,
    price_us BIGINT NOT NULL,
    additional_licenses BIGINT NOT NULL,
    first_issuance_us BIGINT,
    sold_json TEXT,
    PRIMARY KEY (order_id, term_index)
);

CREATE TABLE order_name (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_order (order_id),
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (order_id, name)
);
CREATE INDEX order_name_by_name ON order_name (name, order_id);

CREATE TABLE domain_change (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" PRIMARY KEY REFERENCES certificate_order (order_id),
    progress TEXT COLLATE "C" NOT NULL CHECK (progress IN ('CHARGING', 'AWAITING_ISSUANCE')),
    added_json TEXT NOT NULL,
    removed_json TEXT NOT NULL,
    charged_standard BIGINT NOT NULL,
    charged_wildcard BIGINT NOT NULL,
    accept_us BIGINT NOT NULL,
    operation_id TEXT COLLATE "C",
    invoice_id TEXT COLLATE "C",
    charged_minor BIGINT,
    currency TEXT COLLATE "C"
);

CREATE TABLE certificate (
    account_id TEXT COLLATE "C" NOT NULL,
    certificate_id TEXT COLLATE "C" PRIMARY KEY,
    order_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_order (order_id),
    chain_pem TEXT NOT NULL,
    fingerprint_sha256 BYTEA NOT NULL,
    serial_hex TEXT COLLATE "C" NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    common_name TEXT COLLATE "C" NOT NULL,
    key_type TEXT NOT NULL,
    names_json TEXT NOT NULL,
    not_before_us BIGINT NOT NULL,
    not_after_us BIGINT NOT NULL,
    record_us BIGINT NOT NULL,
    superseded_us BIGINT,
    revoke_us BIGINT,
    to_revoke BIGINT NOT NULL,
    UNIQUE (account_id, fingerprint_sha256)
);
CREATE INDEX certificate_by_order ON certificate (order_id, record_us, certificate_id);
CREATE INDEX certificate_by_age ON certificate (record_us, certificate_id);

CREATE TABLE server (
    account_id TEXT COLLATE "C" NOT NULL,
    server_id TEXT COLLATE "C" PRIMARY KEY,
    order_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_order (order_id),
    host_name TEXT NOT NULL,
    server_software TEXT NOT NULL,
    common_name TEXT COLLATE "C" NOT NULL,
    is_primary BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('REGISTERED', 'UNREGISTERED', 'INVALIDATED')),
    register_us BIGINT NOT NULL
);
CREATE INDEX server_by_order ON server (order_id, register_us, server_id);

CREATE TABLE order_invoice (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_order (order_id),
    invoice_id TEXT COLLATE "C" NOT NULL,
    term_index BIGINT NOT NULL,
    total_minor BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    accept_us BIGINT NOT NULL,
    PRIMARY KEY (order_id, invoice_id)
);

CREATE TABLE domain_quote (
    account_id TEXT COLLATE "C" NOT NULL,
    quote_id TEXT COLLATE "C" PRIMARY KEY,
    order_id TEXT COLLATE "C" NOT NULL REFERENCES certificate_order (order_id),
    pin TEXT COLLATE "C" NOT NULL,
    expire_us BIGINT NOT NULL,
    quote BYTEA NOT NULL
);
CREATE INDEX domain_quote_by_order ON domain_quote (order_id, expire_us);
