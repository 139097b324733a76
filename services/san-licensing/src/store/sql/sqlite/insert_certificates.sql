INSERT INTO certificate
    (account_id, certificate_id, license_id, version, issuer_sha256, serial_hex, product_id, key_type,
    names, not_before_us, not_after_us, record_us, until_us, reservation_id)
SELECT value ->> 0, value ->> 1, NULLIF(value ->> 2, ''), value ->> 3, value ->> 4, value ->> 5,
    value ->> 6, NULLIF(value ->> 7, ''), value ->> 8, value ->> 9, value ->> 10, value ->> 11,
    value ->> 12, NULLIF(value ->> 13, '')
FROM json_each($1)
