-- The certificates under the keys, and, as rows without an id, the revocations that arrived before theirs. A
-- sharded database would fetch both tables whole for outer joins.
SELECT {certificate_columns}
FROM {wanted}
JOIN certificate
    ON certificate.account_id = wanted.account_id AND certificate.issuer_sha256 = wanted.issuer_sha256
    AND certificate.serial_hex = wanted.serial_hex
UNION ALL
SELECT early.account_id, NULL, NULL, early.issuer_sha256, early.serial_hex, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, early.reason, early.ca_revoke_us, NULL, NULL
FROM {wanted}
JOIN early_revocation AS early
    ON early.account_id = wanted.account_id AND early.issuer_sha256 = wanted.issuer_sha256
    AND early.serial_hex = wanted.serial_hex
