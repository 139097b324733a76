ALTER TABLE certificate ADD COLUMN allocate_us BIGINT;
ALTER TABLE certificate ADD COLUMN ca_revoke_us BIGINT;
CREATE INDEX certificate_unallocated ON certificate (account_id, product_id, certificate_id) WHERE license_id IS NULL;
CREATE INDEX certificate_unallocated_by_age ON certificate (record_us, certificate_id) WHERE license_id IS NULL;

ALTER TABLE license_product ADD COLUMN settled_us BIGINT;
CREATE INDEX license_product_unsettled ON license_product (account_id, product_id) WHERE settled_us IS NULL;

CREATE TABLE departure (
    license_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    certificate_id TEXT COLLATE "C" NOT NULL,
    to_license_id TEXT COLLATE "C" NOT NULL,
    depart_us BIGINT NOT NULL,
    PRIMARY KEY (license_id, version, certificate_id)
);

CREATE TABLE early_revocation (
    account_id TEXT COLLATE "C" NOT NULL,
    issuer_sha256 TEXT COLLATE "C" NOT NULL,
    serial_hex TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    ca_revoke_us BIGINT,
    record_us BIGINT NOT NULL,
    kept_us BIGINT NOT NULL,
    PRIMARY KEY (account_id, issuer_sha256, serial_hex)
);
CREATE INDEX early_revocation_by_age ON early_revocation (kept_us);

CREATE TABLE feed (
    feed_id TEXT COLLATE "C" PRIMARY KEY,
    opened_by TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    feed_cursor TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    acknowledgement BYTEA NOT NULL,
    recorded BIGINT NOT NULL,
    unallocated BIGINT NOT NULL,
    revoked BIGINT NOT NULL,
    kept_for_later BIGINT NOT NULL,
    already_known BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    create_us BIGINT NOT NULL,
    update_us BIGINT NOT NULL
);

CREATE TABLE refused_record (
    feed_id TEXT COLLATE "C" NOT NULL REFERENCES feed (feed_id),
    sequence BIGINT NOT NULL,
    record_index BIGINT NOT NULL,
    refusal TEXT COLLATE "C" NOT NULL,
    reasons TEXT NOT NULL,
    content BYTEA NOT NULL,
    content_bytes BIGINT NOT NULL,
    refuse_us BIGINT NOT NULL,
    PRIMARY KEY (feed_id, sequence, record_index)
);
