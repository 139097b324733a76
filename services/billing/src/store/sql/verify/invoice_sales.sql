-- An invoice with a total of zero has no entry.
SELECT invoice.invoice_id AS subject, invoice.currency AS currency, CAST(invoice.total_minor AS TEXT) AS expected,
    CAST(COALESCE(booked.minor, 0) AS TEXT) || CASE WHEN booked.account_id <> invoice.account_id
        THEN ' on ' || booked.account_id ELSE '' END AS found
FROM invoice
LEFT JOIN (
    SELECT entry.invoice_id, MAX(entry.account_id) AS account_id, SUM(posting.amount_minor) AS minor
    FROM ledger_entry AS entry
    JOIN posting ON posting.entry_id = entry.entry_id AND posting.ledger_account = 'RECEIVABLE'
    WHERE entry.kind = 'INVOICE' GROUP BY entry.invoice_id
) AS booked ON booked.invoice_id = invoice.invoice_id
WHERE invoice.total_minor <> COALESCE(booked.minor, 0) OR booked.account_id <> invoice.account_id
UNION ALL
SELECT entry.entry_id, NULL, 'an invoice', COALESCE(entry.invoice_id, 'none')
FROM ledger_entry AS entry
LEFT JOIN invoice ON invoice.invoice_id = entry.invoice_id
WHERE entry.kind IN ('INVOICE', 'PAYMENT') AND invoice.invoice_id IS NULL
