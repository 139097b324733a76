INSERT INTO certificate_san (account_id, license_id, name, certificate_id, is_wildcard, record_us, until_us)
SELECT $2, $3, name, c, 0, b, u
FROM json_to_recordset($1::json) AS given(c TEXT, n TEXT, b BIGINT, u BIGINT), string_to_table(n, E'\n') AS name
