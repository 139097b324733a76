SELECT COUNT(*) AS distinct_sans, COALESCE(SUM(is_wildcard), 0)::BIGINT AS wildcards
FROM (
    SELECT DISTINCT name, (name LIKE 'd:*.%')::INTEGER AS is_wildcard
    FROM decision, string_to_table(names, E'\n') AS name
    WHERE account_id = {account_id} AND license_id = {license_id} AND state <> 'DENIED'
        AND decided_us <= {at_us} AND expire_us > {at_us} AND (closed_us IS NULL OR closed_us > {at_us})
) AS held
WHERE NOT EXISTS (
    SELECT 1 FROM certificate_san
    WHERE account_id = {account_id} AND license_id = {license_id} AND certificate_san.name = held.name
        AND record_us <= {at_us} AND until_us > {at_us}
)
