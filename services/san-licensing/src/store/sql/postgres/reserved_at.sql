SELECT COUNT(*) AS distinct_sans, COALESCE(SUM(is_wildcard), 0)::BIGINT AS wildcards
FROM (
    SELECT DISTINCT name, (name LIKE 'd:*.%')::INTEGER AS is_wildcard
    FROM decision, string_to_table(names, E'\n') AS name
    WHERE license_id = $1 AND state <> 'DENIED' AND decided_us <= $2 AND expire_us > $2
        AND (closed_us IS NULL OR closed_us > $2)
) AS held
WHERE NOT EXISTS (
    SELECT 1 FROM certificate_san
    WHERE license_id = $1 AND certificate_san.name = held.name AND record_us <= $2 AND until_us > $2
)
