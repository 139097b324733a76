INSERT INTO certificate
    (account_id, certificate_id, license_id, version, issuer_sha256, serial_hex, product_id, key_type,
    names, not_before_us, not_after_us, record_us, until_us)
SELECT $2, c, $3, $4, repeat('ab', 32), s, $5, 'RSA', n, b, e, b, u
FROM json_to_recordset($1::json) AS given(c TEXT, s TEXT, n TEXT, b BIGINT, e BIGINT, u BIGINT)
