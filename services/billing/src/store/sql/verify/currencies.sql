SELECT owned.subject AS subject, NULL AS currency, account.currency AS expected, owned.currency AS found
FROM (
    SELECT account_id, entry_id AS subject, currency FROM ledger_entry
    UNION ALL SELECT account_id, quote_id, currency FROM quote
    UNION ALL SELECT account_id, invoice_id, currency FROM invoice
    UNION ALL SELECT account_id, credit_note_id, currency FROM credit_note
    UNION ALL SELECT account_id, refund_id, currency FROM refund
) AS owned
JOIN account ON account.account_id = owned.account_id
WHERE owned.currency <> account.currency
