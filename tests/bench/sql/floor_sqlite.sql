CREATE TABLE licence (
    id BIGINT PRIMARY KEY,
    quota BIGINT NOT NULL,
    used BIGINT NOT NULL,
    reserved BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE TABLE reservation (
    id TEXT PRIMARY KEY,
    licence_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    expire_us BIGINT NOT NULL
);
CREATE TABLE hold (
    licence_id BIGINT NOT NULL,
    san TEXT NOT NULL,
    reservation_id TEXT NOT NULL,
    expire_us BIGINT NOT NULL,
    PRIMARY KEY (licence_id, san, reservation_id)
);
CREATE TABLE certificate_san (
    licence_id BIGINT NOT NULL,
    san TEXT NOT NULL,
    certificate_id TEXT NOT NULL,
    until_us BIGINT NOT NULL,
    PRIMARY KEY (licence_id, san, certificate_id)
);
INSERT INTO licence VALUES (1, 1000000000, 0, 0, 1);
