TRUNCATE license, reservation, hold, certificate, certificate_san;
INSERT INTO license SELECT id, 1000000000, 0, 0, 1 FROM generate_series(1, 64) AS id;
