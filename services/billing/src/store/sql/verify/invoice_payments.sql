SELECT invoice.invoice_id AS subject, invoice.currency AS currency,
    CAST(COALESCE(booked.minor, 0) AS TEXT) AS expected, CAST(invoice.paid_minor AS TEXT) AS found
FROM invoice
LEFT JOIN (
    SELECT entry.account_id, entry.invoice_id, SUM(posting.amount_minor) AS minor
    FROM ledger_entry AS entry
    JOIN posting ON posting.account_id = entry.account_id AND posting.entry_id = entry.entry_id
        AND posting.ledger_account = 'BALANCE'
    WHERE entry.kind = 'PAYMENT' GROUP BY entry.account_id, entry.invoice_id
) AS booked ON booked.account_id = invoice.account_id AND booked.invoice_id = invoice.invoice_id
WHERE invoice.paid_minor <> COALESCE(booked.minor, 0)
