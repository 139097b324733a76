-- Splits the text into lines by way of a JSON array: the line breaks become DELETE, which JSON does not
-- escape, and which no SAN contains.
SELECT COUNT(*) AS distinct_sans, COALESCE(SUM(is_wildcard), 0) AS wildcards
FROM (
    SELECT DISTINCT line.value AS name, line.value LIKE 'd:*.%' AS is_wildcard
    FROM decision, json_each('[' || replace(
        json_quote(replace(names, char(10), char(127))), char(127), '","'
    ) || ']') AS line
    WHERE names <> '' AND account_id = {account_id} AND license_id = {license_id} AND state <> 'DENIED'
        AND decided_us <= {at_us} AND expire_us > {at_us} AND (closed_us IS NULL OR closed_us > {at_us})
) AS held
WHERE NOT EXISTS (
    SELECT 1 FROM certificate_san
    WHERE account_id = {account_id} AND license_id = {license_id} AND certificate_san.name = held.name
        AND record_us <= {at_us} AND until_us > {at_us}
)
