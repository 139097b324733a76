SELECT certificate.* FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[]) AS wanted(a, i, s)
JOIN certificate
    ON certificate.account_id = wanted.a AND issuer_sha256 = wanted.i AND serial_hex = wanted.s
