INSERT INTO certificate_san
SELECT 1, 'Host' || number || '.Example.com', 1 + number % ($1::BIGINT / 4), now() + INTERVAL '90 days'
FROM generate_series(1, $1::BIGINT) AS number;
