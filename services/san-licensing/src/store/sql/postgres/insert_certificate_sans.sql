INSERT INTO certificate_san (license_id, name, certificate_id, is_wildcard, record_us, until_us)
SELECT l, name, c, (name LIKE 'd:*.%')::INTEGER, r, u
FROM json_to_recordset($1::json) AS given(c TEXT, l TEXT, n TEXT, r BIGINT, u BIGINT),
    string_to_table(n, E'\n') AS name
WHERE l IS NOT NULL
