CREATE TABLE license (
    id BIGINT PRIMARY KEY,
    quota BIGINT NOT NULL,
    used BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE TABLE reservation (
    id TEXT PRIMARY KEY,
    license_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    expire_us BIGINT NOT NULL
);
CREATE TABLE hold (
    license_id BIGINT NOT NULL,
    san TEXT NOT NULL,
    reservation_id TEXT NOT NULL,
    expire_us BIGINT NOT NULL,
    PRIMARY KEY (license_id, san, reservation_id)
);
CREATE TABLE certificate_san (
    license_id BIGINT NOT NULL,
    san TEXT NOT NULL,
    certificate_id TEXT NOT NULL,
    until_us BIGINT NOT NULL,
    PRIMARY KEY (license_id, san, certificate_id)
);
INSERT INTO license VALUES (1, 1000000000, 0, 0, 1);
