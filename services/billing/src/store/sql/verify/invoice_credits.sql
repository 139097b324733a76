SELECT invoice.invoice_id AS subject, invoice.currency AS currency,
    CAST(COALESCE(noted.minor, 0) AS TEXT) AS expected, CAST(invoice.credited_minor AS TEXT) AS found
FROM invoice
LEFT JOIN (
    SELECT account_id, invoice_id, SUM(total_minor) AS minor FROM credit_note GROUP BY account_id, invoice_id
) AS noted ON noted.account_id = invoice.account_id AND noted.invoice_id = invoice.invoice_id
WHERE invoice.credited_minor <> COALESCE(noted.minor, 0)
