DELETE FROM early_revocation WHERE (account_id, issuer_sha256, serial_hex) IN (
    SELECT applied.account_id, applied.issuer_sha256, applied.serial_hex FROM {applied}
)
