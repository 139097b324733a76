-- Under each key the certificate, the revocation that came before it, or both.
SELECT certificate.*, wanted.a AS wanted_account_id, wanted.i AS wanted_issuer_sha256,
    wanted.s AS wanted_serial_hex, early.reason AS early_reason, early.ca_revoke_us AS early_ca_revoke_us
FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[]) AS wanted(a, i, s)
LEFT JOIN certificate
    ON certificate.account_id = wanted.a AND certificate.issuer_sha256 = wanted.i
    AND certificate.serial_hex = wanted.s
LEFT JOIN early_revocation AS early
    ON early.account_id = wanted.a AND early.issuer_sha256 = wanted.i AND early.serial_hex = wanted.s
WHERE certificate.certificate_id IS NOT NULL OR early.reason IS NOT NULL
