CREATE TABLE license (
    id BIGINT PRIMARY KEY,
    quota BIGINT NOT NULL,
    used BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    version BIGINT NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE reservation (
    id BIGINT PRIMARY KEY,
    license_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    expire TIMESTAMPTZ NOT NULL
);
CREATE TABLE hold (
    license_id BIGINT NOT NULL,
    san TEXT COLLATE "C" NOT NULL,
    reservation_id BIGINT NOT NULL,
    expire TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (license_id, san, reservation_id)
);
CREATE TABLE certificate (
    id BIGINT PRIMARY KEY,
    license_id BIGINT NOT NULL,
    serial TEXT COLLATE "C" NOT NULL,
    not_after TIMESTAMPTZ NOT NULL,
    revoke_time TIMESTAMPTZ,
    UNIQUE (license_id, serial)
);
CREATE TABLE certificate_san (
    license_id BIGINT NOT NULL,
    san TEXT COLLATE "C" NOT NULL,
    certificate_id BIGINT NOT NULL,
    until TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (license_id, san, certificate_id)
);
