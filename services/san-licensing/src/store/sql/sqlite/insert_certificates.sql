INSERT INTO certificate
    (account_id, certificate_id, license_id, version, issuer_sha256, serial_hex, product_id, key_type,
    names, not_before_us, not_after_us, record_us, until_us, reservation_id)
SELECT value ->> 'a', value ->> 'c', value ->> 'l', value ->> 'v', value ->> 'i', value ->> 's',
    value ->> 'p', value ->> 'k', value ->> 'n', value ->> 'b', value ->> 'e', value ->> 'r',
    value ->> 'u', value ->> 'h'
FROM json_each($1)
