INSERT INTO early_revocation
    (account_id, issuer_sha256, serial_hex, reason, ca_revoke_us, record_us, kept_us)
SELECT a, i, s, r, NULLIF(c, '')::BIGINT, $6, $7
FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[]) AS given(a, i, s, r, c)
