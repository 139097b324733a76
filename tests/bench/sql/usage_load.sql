INSERT INTO certificate
SELECT id, 1, to_hex(id), now() + INTERVAL '1 day' + id * INTERVAL '20 seconds' FROM generate_series(1, $1::BIGINT / 4) AS id;
