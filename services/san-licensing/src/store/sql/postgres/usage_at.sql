SELECT COUNT(*) AS distinct_sans, COALESCE(SUM(is_wildcard), 0)::BIGINT AS wildcards,
    COUNT(*) FILTER (WHERE name LIKE 'd:%') AS dns_names,
    COUNT(*) FILTER (WHERE name LIKE 'i:%') AS ip_addresses,
    COUNT(*) FILTER (WHERE name LIKE 'r:%') AS rfc822_names
FROM (
    SELECT DISTINCT name, is_wildcard FROM certificate_san
    WHERE license_id = $1 AND record_us <= $2 AND until_us > $2
) AS active
