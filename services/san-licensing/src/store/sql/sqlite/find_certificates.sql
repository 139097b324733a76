-- Under each key the certificate, the revocation that came before it, or both.
SELECT certificate.*, wanted.value ->> 0 AS wanted_account_id, wanted.value ->> 1 AS wanted_issuer_sha256,
    wanted.value ->> 2 AS wanted_serial_hex, early.reason AS early_reason,
    early.ca_revoke_us AS early_ca_revoke_us
FROM json_each($1) AS wanted
LEFT JOIN certificate
    ON certificate.account_id = wanted.value ->> 0 AND certificate.issuer_sha256 = wanted.value ->> 1
    AND certificate.serial_hex = wanted.value ->> 2
LEFT JOIN early_revocation AS early
    ON early.account_id = wanted.value ->> 0 AND early.issuer_sha256 = wanted.value ->> 1
    AND early.serial_hex = wanted.value ->> 2
WHERE certificate.certificate_id IS NOT NULL OR early.reason IS NOT NULL
