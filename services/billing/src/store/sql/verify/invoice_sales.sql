-- An invoice with a total of zero has no entry.
SELECT invoice.invoice_id AS subject, invoice.currency AS currency, CAST(invoice.total_minor AS TEXT) AS expected,
    CAST(COALESCE(booked.minor, 0) AS TEXT) AS found
FROM invoice
LEFT JOIN (
    SELECT entry.account_id, entry.invoice_id, SUM(posting.amount_minor) AS minor
    FROM ledger_entry AS entry
    JOIN posting ON posting.account_id = entry.account_id AND posting.entry_id = entry.entry_id
        AND posting.ledger_account = 'RECEIVABLE'
    WHERE entry.kind = 'INVOICE' GROUP BY entry.account_id, entry.invoice_id
) AS booked ON booked.account_id = invoice.account_id AND booked.invoice_id = invoice.invoice_id
WHERE invoice.total_minor <> COALESCE(booked.minor, 0)
UNION ALL
SELECT entry.entry_id, NULL, 'an invoice of ' || entry.account_id, COALESCE(entry.invoice_id, 'none')
FROM ledger_entry AS entry
LEFT JOIN invoice ON invoice.account_id = entry.account_id AND invoice.invoice_id = entry.invoice_id
WHERE entry.kind IN ('INVOICE', 'PAYMENT') AND invoice.invoice_id IS NULL
