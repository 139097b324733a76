CREATE TABLE certificate_order_kept AS SELECT * FROM certificate_order;
CREATE TABLE order_term_kept AS SELECT * FROM order_term;
CREATE TABLE order_name_kept AS SELECT * FROM order_name;
CREATE TABLE domain_change_kept AS SELECT * FROM domain_change;
CREATE TABLE certificate_kept AS SELECT * FROM certificate;
CREATE TABLE server_kept AS SELECT * FROM server;
CREATE TABLE order_invoice_kept AS SELECT * FROM order_invoice;
CREATE TABLE domain_quote_kept AS SELECT * FROM domain_quote;

DROP TABLE order_term;
DROP TABLE order_name;
DROP TABLE domain_change;
DROP TABLE certificate;
DROP TABLE server;
DROP TABLE order_invoice;
DROP TABLE domain_quote;
DROP TABLE certificate_order;

CREATE TABLE certificate_order (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
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
    refund BYTEA,
    san_license_id TEXT COLLATE "C",
    reservation_id TEXT COLLATE "C",
    reissue_us BIGINT,
    turn_us BIGINT,
    next_refund BYTEA,
    refund_in_review BIGINT NOT NULL DEFAULT 0,
    past_refunds_json TEXT,
    PRIMARY KEY (account_id, order_id)
);

CREATE TABLE order_term (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    term_index BIGINT NOT NULL,
    anchor_us BIGINT NOT NULL,
    first_month BIGINT NOT NULL,
    months BIGINT NOT NULL,
    price_us BIGINT NOT NULL,
    additional_licenses BIGINT NOT NULL,
    first_issuance_us BIGINT,
    sold_json TEXT,
    names_json TEXT,
    kept_servers_json TEXT,
    bought_us BIGINT,
    common_name TEXT COLLATE "C",
    PRIMARY KEY (account_id, order_id, term_index),
    FOREIGN KEY (account_id, order_id) REFERENCES certificate_order (account_id, order_id)
);

CREATE TABLE order_name (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, order_id, name),
    FOREIGN KEY (account_id, order_id) REFERENCES certificate_order (account_id, order_id)
);

CREATE TABLE domain_change (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    progress TEXT COLLATE "C" NOT NULL CHECK (progress IN ('CHARGING', 'AWAITING_ISSUANCE')),
    added_json TEXT NOT NULL,
    removed_json TEXT NOT NULL,
    charged_standard BIGINT NOT NULL,
    charged_wildcard BIGINT NOT NULL,
    accept_us BIGINT NOT NULL,
    operation_id TEXT COLLATE "C",
    invoice_id TEXT COLLATE "C",
    charged_minor BIGINT,
    currency TEXT COLLATE "C",
    term_index BIGINT NOT NULL DEFAULT 0,
    next_standard BIGINT NOT NULL DEFAULT 0,
    next_wildcard BIGINT NOT NULL DEFAULT 0,
    next_invoice_id TEXT COLLATE "C",
    next_minor BIGINT,
    in_next_term BIGINT NOT NULL DEFAULT 1,
    charged_converted BIGINT NOT NULL DEFAULT 0,
    next_converted BIGINT NOT NULL DEFAULT 0,
    common_name TEXT COLLATE "C",
    PRIMARY KEY (account_id, order_id),
    FOREIGN KEY (account_id, order_id) REFERENCES certificate_order (account_id, order_id)
);

CREATE TABLE certificate (
    account_id TEXT COLLATE "C" NOT NULL,
    certificate_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
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
    san_license_id TEXT COLLATE "C",
    san_certificate_id TEXT COLLATE "C",
    sans_returned_us BIGINT,
    revoke_reason TEXT COLLATE "C",
    issuer_sha256 BYTEA,
    PRIMARY KEY (account_id, certificate_id),
    UNIQUE (account_id, fingerprint_sha256),
    FOREIGN KEY (account_id, order_id) REFERENCES certificate_order (account_id, order_id)
);

CREATE TABLE server (
    account_id TEXT COLLATE "C" NOT NULL,
    server_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    host_name TEXT NOT NULL,
    server_software TEXT NOT NULL,
    common_name TEXT COLLATE "C" NOT NULL,
    is_primary BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('REGISTERED', 'UNREGISTERED', 'INVALIDATED')),
    register_us BIGINT NOT NULL,
    PRIMARY KEY (account_id, server_id),
    FOREIGN KEY (account_id, order_id) REFERENCES certificate_order (account_id, order_id)
);

CREATE TABLE order_invoice (
    account_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    invoice_id TEXT COLLATE "C" NOT NULL,
    term_index BIGINT NOT NULL,
    total_minor BIGINT NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    accept_us BIGINT NOT NULL,
    PRIMARY KEY (account_id, order_id, invoice_id),
    FOREIGN KEY (account_id, order_id) REFERENCES certificate_order (account_id, order_id)
);

CREATE TABLE domain_quote (
    account_id TEXT COLLATE "C" NOT NULL,
    quote_id TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C" NOT NULL,
    pin TEXT COLLATE "C" NOT NULL,
    expire_us BIGINT NOT NULL,
    quote BYTEA NOT NULL,
    next_quote BYTEA,
    sold_json TEXT,
    PRIMARY KEY (account_id, quote_id),
    FOREIGN KEY (account_id, order_id) REFERENCES certificate_order (account_id, order_id)
);

INSERT INTO certificate_order
SELECT account_id, order_id, product_id, progress, revision, common_name, server_software, csr_pem,
    csr_spki_sha256, term_index, end_us, issuance_pending_us, create_us, decision_us, delete_us, refund,
    san_license_id, reservation_id, reissue_us, turn_us, next_refund, refund_in_review, past_refunds_json
FROM certificate_order_kept;
INSERT INTO order_term
SELECT account_id, order_id, term_index, anchor_us, first_month, months, price_us, additional_licenses,
    first_issuance_us, sold_json, names_json, kept_servers_json, bought_us, common_name
FROM order_term_kept;
INSERT INTO order_name
SELECT account_id, order_id, name
FROM order_name_kept;
INSERT INTO domain_change
SELECT account_id, order_id, progress, added_json, removed_json, charged_standard, charged_wildcard,
    accept_us, operation_id, invoice_id, charged_minor, currency, term_index, next_standard, next_wildcard,
    next_invoice_id, next_minor, in_next_term, charged_converted, next_converted, common_name
FROM domain_change_kept;
INSERT INTO certificate
SELECT account_id, certificate_id, order_id, chain_pem, fingerprint_sha256, serial_hex, issuer, subject,
    common_name, key_type, names_json, not_before_us, not_after_us, record_us, superseded_us, revoke_us,
    to_revoke, san_license_id, san_certificate_id, sans_returned_us, revoke_reason, issuer_sha256
FROM certificate_kept;
INSERT INTO server
SELECT account_id, server_id, order_id, host_name, server_software, common_name, is_primary, state,
    register_us
FROM server_kept;
INSERT INTO order_invoice
SELECT account_id, order_id, invoice_id, term_index, total_minor, currency, accept_us
FROM order_invoice_kept;
INSERT INTO domain_quote
SELECT account_id, quote_id, order_id, pin, expire_us, quote, next_quote, sold_json
FROM domain_quote_kept;

DROP TABLE order_term_kept;
DROP TABLE order_name_kept;
DROP TABLE domain_change_kept;
DROP TABLE certificate_kept;
DROP TABLE server_kept;
DROP TABLE order_invoice_kept;
DROP TABLE domain_quote_kept;
DROP TABLE certificate_order_kept;

CREATE INDEX certificate_order_by_id ON certificate_order (order_id);
CREATE INDEX certificate_order_by_age ON certificate_order (create_us, order_id);
CREATE INDEX certificate_order_by_account ON certificate_order (account_id, create_us, order_id);
CREATE INDEX certificate_order_to_issue ON certificate_order (issuance_pending_us, order_id) WHERE issuance_pending_us IS NOT NULL;
CREATE INDEX certificate_order_to_turn ON certificate_order (turn_us, order_id) WHERE turn_us IS NOT NULL;
CREATE INDEX certificate_order_in_review ON certificate_order (order_id) WHERE refund_in_review = 1;
CREATE INDEX order_name_by_name ON order_name (name, account_id, order_id);
CREATE INDEX certificate_by_id ON certificate (certificate_id);
CREATE INDEX certificate_by_order ON certificate (account_id, order_id, record_us, certificate_id);
CREATE INDEX certificate_by_age ON certificate (record_us, certificate_id);
CREATE INDEX certificate_sans_to_return ON certificate (revoke_us, certificate_id) WHERE san_certificate_id IS NOT NULL AND sans_returned_us IS NULL;
CREATE INDEX certificate_by_san_certificate ON certificate (account_id, san_certificate_id) WHERE san_certificate_id IS NOT NULL;
CREATE UNIQUE INDEX certificate_by_key ON certificate (account_id, serial_hex, issuer_sha256);
CREATE INDEX certificate_by_serial ON certificate (serial_hex);
CREATE INDEX certificate_by_fingerprint ON certificate (fingerprint_sha256);
CREATE INDEX server_by_id ON server (server_id);
CREATE INDEX server_by_order ON server (account_id, order_id, register_us, server_id);
CREATE INDEX order_invoice_by_id ON order_invoice (invoice_id);
CREATE INDEX domain_quote_by_order ON domain_quote (account_id, order_id, expire_us);

-- The stored revocations name no account, and only SanLicensing knows it: they are followed again.
UPDATE following SET position = 0 WHERE EXISTS (SELECT 1 FROM early_revocation);
DROP TABLE early_revocation;
CREATE TABLE early_revocation (
    account_id TEXT COLLATE "C" NOT NULL,
    san_certificate_id TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    san_revoke_us BIGINT NOT NULL,
    caller TEXT NOT NULL,
    method TEXT NOT NULL,
    request_id TEXT NOT NULL,
    PRIMARY KEY (account_id, san_certificate_id)
);
