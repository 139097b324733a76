SELECT return_us, COUNT(*) AS distinct_sans, SUM(is_wildcard)::BIGINT AS wildcards
FROM (
    SELECT name, is_wildcard, MAX(until_us) AS return_us FROM certificate_san
    WHERE license_id = $1 AND record_us <= $2 AND until_us > $2
    GROUP BY name, is_wildcard
) AS active
GROUP BY return_us
ORDER BY return_us
LIMIT $3
