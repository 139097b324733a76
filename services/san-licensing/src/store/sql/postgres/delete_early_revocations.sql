DELETE FROM early_revocation USING unnest($1::TEXT[], $2::TEXT[], $3::TEXT[]) AS given(a, i, s)
WHERE account_id = given.a AND issuer_sha256 = given.i AND serial_hex = given.s
