INSERT INTO certificate
    (account_id, certificate_id, license_id, version, issuer_sha256, serial_hex, product_id, key_type,
    names, not_before_us, not_after_us, record_us, until_us, reservation_id)
SELECT a, c, l, v, i, s, p, k, n, b, e, r, u, h
FROM json_to_recordset($1::json)
    AS given(a TEXT, c TEXT, l TEXT, v BIGINT, i TEXT, s TEXT, p TEXT, k TEXT, n TEXT, b BIGINT, e BIGINT,
    r BIGINT, u BIGINT, h TEXT)
