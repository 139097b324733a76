CREATE TABLE license (
    account_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" PRIMARY KEY,
    progress TEXT COLLATE "C" NOT NULL CHECK (progress IN ('QUOTED', 'ACCEPTING', 'ACTIVE', 'CANCELLED')),
    products_json TEXT NOT NULL,
    quota BIGINT NOT NULL CHECK (quota > 0),
    raises_json TEXT NOT NULL,
    options_json TEXT NOT NULL,
    anchor_us BIGINT NOT NULL,
    first_month BIGINT NOT NULL,
    months BIGINT NOT NULL,
    asked_start_us BIGINT,
    start_us BIGINT NOT NULL,
    end_us BIGINT NOT NULL,
    price_json TEXT NOT NULL,
    valid_until_us BIGINT NOT NULL,
    invoices_json TEXT NOT NULL,
    revision BIGINT NOT NULL,
    create_us BIGINT NOT NULL,
    decision_us BIGINT NOT NULL
);
CREATE INDEX license_by_age ON license (create_us, license_id);
CREATE INDEX license_by_account ON license (account_id, create_us, license_id);

CREATE TABLE license_product (
    account_id TEXT COLLATE "C" NOT NULL,
    product_id TEXT COLLATE "C" NOT NULL,
    license_id TEXT COLLATE "C" NOT NULL REFERENCES license (license_id),
    PRIMARY KEY (account_id, product_id)
);

CREATE TABLE license_fence (
    license_id TEXT COLLATE "C" PRIMARY KEY REFERENCES license (license_id),
    version BIGINT NOT NULL,
    as_of_us BIGINT NOT NULL
);

CREATE TABLE decision (
    license_id TEXT COLLATE "C" NOT NULL,
    decision_id TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    fingerprint BYTEA NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('GRANTED', 'RELEASED', 'RECORDED', 'DENIED')),
    names TEXT NOT NULL,
    decided_us BIGINT NOT NULL,
    expire_us BIGINT NOT NULL,
    closed_us BIGINT,
    quota BIGINT NOT NULL,
    used BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    needed BIGINT NOT NULL,
    denial_json TEXT
);
CREATE INDEX decision_by_version ON decision (license_id, version);
CREATE INDEX decision_held ON decision (license_id, expire_us) WHERE state = 'GRANTED';

CREATE TABLE certificate (
    account_id TEXT COLLATE "C" NOT NULL,
    certificate_id TEXT COLLATE "C" PRIMARY KEY,
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
    reservation_id TEXT COLLATE "C",
    UNIQUE (account_id, issuer_sha256, serial_hex)
);
CREATE INDEX certificate_by_version ON certificate (license_id, version);
CREATE INDEX certificate_by_age ON certificate (license_id, record_us, certificate_id);

CREATE TABLE certificate_san (
    license_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    certificate_id TEXT COLLATE "C" NOT NULL,
    is_wildcard INTEGER NOT NULL,
    record_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    PRIMARY KEY (license_id, name, certificate_id)
);
