DELETE FROM early_revocation WHERE (account_id, issuer_sha256, serial_hex) IN (
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)
)
