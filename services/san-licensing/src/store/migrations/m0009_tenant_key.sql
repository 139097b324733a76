-- Every table with rows of one account begins with the account, and so does every key: a database that keeps the
-- rows of an account together has no other keys.
CREATE TABLE license_kept AS SELECT account_id, license_id, progress, products_json, asked_start_us, start_us, end_us, renewing, valid_until_us, cancel_us, invoices_json, revision, create_us, decision_us FROM license;
CREATE TABLE license_product_kept AS SELECT account_id, product_id, license_id, settled_us FROM license_product;
CREATE TABLE license_fence_kept AS SELECT license_id, version, as_of_us, lineage FROM license_fence;
CREATE TABLE license_term_kept AS SELECT license_id, term_index, anchor_us, first_month, months, sold_json, products_json, sold_us, options_json, raises_json, bought_late_us FROM license_term;
CREATE TABLE usage_turn_kept AS SELECT license_id, next_us FROM usage_turn;
CREATE TABLE decision_kept AS SELECT license_id, decision_id, version, fingerprint, state, names, decided_us, expire_us, until_us, closed_us, quota, used, reserved, needed, denial_json FROM decision;
CREATE TABLE certificate_kept AS SELECT account_id, certificate_id, license_id, version, issuer_sha256, serial_hex, product_id, key_type, names, not_before_us, not_after_us, record_us, until_us, revoke_us, revoke_reason, ca_revoke_us, allocate_us, reservation_id FROM certificate;
CREATE TABLE certificate_san_kept AS SELECT license_id, name, certificate_id, is_wildcard, record_us, until_us FROM certificate_san;
CREATE TABLE departure_kept AS SELECT license_id, version, certificate_id, to_license_id, depart_us FROM departure;
DROP TABLE license_product;
DROP TABLE license_fence;
DROP TABLE license_term;
DROP TABLE usage_turn;
DROP TABLE license;
DROP TABLE decision;
DROP TABLE certificate;
DROP TABLE certificate_san;
DROP TABLE departure;

CREATE TABLE license (
    account_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" NOT NULL,
    progress TEXT COLLATE "C" NOT NULL CHECK (progress IN ('QUOTED', 'ACCEPTING', 'ACTIVE', 'CANCELLED')),
    products_json TEXT NOT NULL,
    asked_start_us BIGINT,
    start_us BIGINT NOT NULL,
    end_us BIGINT NOT NULL,
    renewing BIGINT NOT NULL,
    valid_until_us BIGINT NOT NULL,
    cancel_us BIGINT,
    invoices_json TEXT NOT NULL,
    revision BIGINT NOT NULL,
    create_us BIGINT NOT NULL,
    decision_us BIGINT NOT NULL,
    PRIMARY KEY (account_id, license_id)
);
INSERT INTO license (account_id, license_id, progress, products_json, asked_start_us, start_us, end_us, renewing, valid_until_us, cancel_us, invoices_json, revision, create_us, decision_us)
SELECT account_id, license_id, progress, products_json, asked_start_us, start_us, end_us, renewing, valid_until_us, cancel_us, invoices_json, revision, create_us, decision_us FROM license_kept;
CREATE INDEX license_by_id ON license (license_id);
CREATE INDEX license_by_age ON license (create_us, license_id);
CREATE INDEX license_by_account ON license (account_id, create_us, license_id);

CREATE TABLE license_product (
    account_id TEXT COLLATE "C" NOT NULL,
    product_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" NOT NULL,
    settled_us BIGINT,
    PRIMARY KEY (account_id, product_id),
    FOREIGN KEY (account_id, license_id) REFERENCES license (account_id, license_id)
);
INSERT INTO license_product (account_id, product_id, license_id, settled_us)
SELECT account_id, product_id, license_id, settled_us FROM license_product_kept;
CREATE INDEX license_product_unsettled ON license_product (account_id, product_id) WHERE settled_us IS NULL;

CREATE TABLE license_fence (
    account_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    as_of_us BIGINT NOT NULL,
    lineage TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, license_id),
    FOREIGN KEY (account_id, license_id) REFERENCES license (account_id, license_id)
);
INSERT INTO license_fence (account_id, license_id, version, as_of_us, lineage)
SELECT license.account_id, kept.license_id, kept.version, kept.as_of_us, kept.lineage
FROM license_fence_kept AS kept JOIN license ON license.license_id = kept.license_id;

CREATE TABLE license_term (
    account_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" NOT NULL,
    term_index BIGINT NOT NULL,
    anchor_us BIGINT NOT NULL,
    first_month BIGINT NOT NULL,
    months BIGINT NOT NULL,
    sold_json TEXT NOT NULL,
    products_json TEXT NOT NULL,
    sold_us BIGINT NOT NULL,
    options_json TEXT NOT NULL,
    raises_json TEXT NOT NULL,
    bought_late_us BIGINT,
    PRIMARY KEY (account_id, license_id, term_index),
    FOREIGN KEY (account_id, license_id) REFERENCES license (account_id, license_id)
);
INSERT INTO license_term (account_id, license_id, term_index, anchor_us, first_month, months, sold_json, products_json, sold_us, options_json, raises_json, bought_late_us)
SELECT license.account_id, kept.license_id, kept.term_index, kept.anchor_us, kept.first_month, kept.months, kept.sold_json, kept.products_json, kept.sold_us, kept.options_json, kept.raises_json, kept.bought_late_us
FROM license_term_kept AS kept JOIN license ON license.license_id = kept.license_id;

CREATE TABLE usage_turn (
    account_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" NOT NULL,
    next_us BIGINT NOT NULL,
    PRIMARY KEY (account_id, license_id),
    FOREIGN KEY (account_id, license_id) REFERENCES license (account_id, license_id)
);
INSERT INTO usage_turn (account_id, license_id, next_us)
SELECT license.account_id, kept.license_id, kept.next_us
FROM usage_turn_kept AS kept JOIN license ON license.license_id = kept.license_id;
CREATE INDEX usage_turn_by_time ON usage_turn (next_us, license_id);

CREATE TABLE decision (
    account_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" NOT NULL,
    decision_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    fingerprint BYTEA NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('GRANTED', 'RELEASED', 'RECORDED', 'DENIED')),
    names TEXT NOT NULL,
    decided_us BIGINT NOT NULL,
    expire_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    closed_us BIGINT,
    quota BIGINT NOT NULL,
    used BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    needed BIGINT NOT NULL,
    denial_json TEXT,
    PRIMARY KEY (account_id, decision_id)
);
INSERT INTO decision (account_id, license_id, decision_id, version, fingerprint, state, names, decided_us, expire_us, until_us, closed_us, quota, used, reserved, needed, denial_json)
SELECT license.account_id, kept.license_id, kept.decision_id, kept.version, kept.fingerprint, kept.state, kept.names, kept.decided_us, kept.expire_us, kept.until_us, kept.closed_us, kept.quota, kept.used, kept.reserved, kept.needed, kept.denial_json
FROM decision_kept AS kept JOIN license ON license.license_id = kept.license_id;
CREATE INDEX decision_by_version ON decision (account_id, license_id, version);
CREATE INDEX decision_held ON decision (account_id, license_id, expire_us) WHERE state = 'GRANTED';

CREATE TABLE certificate (
    account_id TEXT COLLATE "C" NOT NULL,
    certificate_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C",
    version BIGINT NOT NULL,
    issuer_sha256 TEXT COLLATE "C" NOT NULL,
    serial_hex TEXT COLLATE "C" NOT NULL,
    product_id TEXT COLLATE "C" NOT NULL,
    key_type TEXT COLLATE "C",
    names TEXT NOT NULL,
    not_before_us BIGINT NOT NULL,
    not_after_us BIGINT NOT NULL,
    record_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    revoke_us BIGINT,
    revoke_reason TEXT COLLATE "C",
    ca_revoke_us BIGINT,
    allocate_us BIGINT,
    reservation_id TEXT COLLATE "C",
    PRIMARY KEY (account_id, certificate_id),
    UNIQUE (account_id, issuer_sha256, serial_hex)
);
INSERT INTO certificate (account_id, certificate_id, license_id, version, issuer_sha256, serial_hex, product_id, key_type, names, not_before_us, not_after_us, record_us, until_us, revoke_us, revoke_reason, ca_revoke_us, allocate_us, reservation_id)
SELECT account_id, certificate_id, license_id, version, issuer_sha256, serial_hex, product_id, key_type, names, not_before_us, not_after_us, record_us, until_us, revoke_us, revoke_reason, ca_revoke_us, allocate_us, reservation_id FROM certificate_kept;
CREATE INDEX certificate_by_version ON certificate (account_id, license_id, version);
CREATE INDEX certificate_by_age ON certificate (account_id, license_id, record_us, certificate_id);
CREATE INDEX certificate_unallocated ON certificate (account_id, product_id, certificate_id) WHERE license_id IS NULL;
CREATE INDEX certificate_unallocated_by_age ON certificate (record_us, certificate_id) WHERE license_id IS NULL;

CREATE TABLE certificate_san (
    account_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    certificate_id TEXT COLLATE "C" NOT NULL,
    is_wildcard INTEGER NOT NULL,
    record_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    PRIMARY KEY (account_id, license_id, name, certificate_id)
);
INSERT INTO certificate_san (account_id, license_id, name, certificate_id, is_wildcard, record_us, until_us)
SELECT license.account_id, kept.license_id, kept.name, kept.certificate_id, kept.is_wildcard, kept.record_us, kept.until_us
FROM certificate_san_kept AS kept JOIN license ON license.license_id = kept.license_id;

CREATE TABLE departure (
    account_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    certificate_id TEXT COLLATE "C" NOT NULL,
    to_license_id TEXT COLLATE "C" NOT NULL,
    depart_us BIGINT NOT NULL,
    PRIMARY KEY (account_id, license_id, version, certificate_id)
);
INSERT INTO departure (account_id, license_id, version, certificate_id, to_license_id, depart_us)
SELECT license.account_id, kept.license_id, kept.version, kept.certificate_id, kept.to_license_id, kept.depart_us
FROM departure_kept AS kept JOIN license ON license.license_id = kept.license_id;

DROP TABLE license_kept;
DROP TABLE license_product_kept;
DROP TABLE license_fence_kept;
DROP TABLE license_term_kept;
DROP TABLE usage_turn_kept;
DROP TABLE decision_kept;
DROP TABLE certificate_kept;
DROP TABLE certificate_san_kept;
DROP TABLE departure_kept;
