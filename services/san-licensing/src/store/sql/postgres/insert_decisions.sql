INSERT INTO decision
    (license_id, decision_id, version, fingerprint, state, names, decided_us, expire_us, quota, used,
    reserved, needed, denial_json, until_us)
SELECT l, i, v, f, s, n, d, e, q, u, r, w, NULLIF(j, ''), o
FROM unnest(
    $1::TEXT[], $2::TEXT[], $3::BIGINT[], $4::BYTEA[], $5::TEXT[], $6::TEXT[], $7::BIGINT[], $8::BIGINT[],
    $9::BIGINT[], $10::BIGINT[], $11::BIGINT[], $12::BIGINT[], $13::TEXT[], $14::BIGINT[]
) AS given(l, i, v, f, s, n, d, e, q, u, r, w, j, o)
