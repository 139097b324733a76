INSERT INTO certificate
    (account_id, certificate_id, license_id, version, issuer_sha256, serial_hex, product_id, key_type,
    names, not_before_us, not_after_us, record_us, until_us, reservation_id)
SELECT a, c, NULLIF(l, ''), v, i, s, p, NULLIF(k, ''), n, b, e, r, u, NULLIF(h, '')
FROM unnest(
    $1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[],
    $9::TEXT[], $10::BIGINT[], $11::BIGINT[], $12::BIGINT[], $13::BIGINT[], $14::TEXT[]
) AS given(a, c, l, v, i, s, p, k, n, b, e, r, u, h)
