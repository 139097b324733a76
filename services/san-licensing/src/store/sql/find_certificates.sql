-- For each key the certificate, the revocation that arrived before it, or both.
SELECT {certificate_columns}, wanted.account_id AS wanted_account_id,
    wanted.issuer_sha256 AS wanted_issuer_sha256, wanted.serial_hex AS wanted_serial_hex,
    early.reason AS early_reason, early.ca_revoke_us AS early_ca_revoke_us
FROM {wanted}
LEFT JOIN certificate
    ON certificate.account_id = wanted.account_id AND certificate.issuer_sha256 = wanted.issuer_sha256
    AND certificate.serial_hex = wanted.serial_hex
LEFT JOIN early_revocation AS early
    ON early.account_id = wanted.account_id AND early.issuer_sha256 = wanted.issuer_sha256
    AND early.serial_hex = wanted.serial_hex
WHERE certificate.certificate_id IS NOT NULL OR early.reason IS NOT NULL
