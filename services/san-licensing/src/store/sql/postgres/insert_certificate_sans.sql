INSERT INTO certificate_san (license_id, name, certificate_id, is_wildcard, record_us, until_us)
SELECT l, name, c, (name LIKE 'd:*.%')::INTEGER, r, u
FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[]) AS given(l, c, n, r, u),
    string_to_table(n, E'\n') AS name
