INSERT INTO early_revocation
    (account_id, issuer_sha256, serial_hex, reason, ca_revoke_us, record_us, kept_us)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(NULLIF(value ->> 4, '') AS INTEGER), $2, $3
FROM json_each($1)
