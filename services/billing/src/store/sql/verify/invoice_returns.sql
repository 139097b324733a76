SELECT invoice.invoice_id AS subject, invoice.currency AS currency,
    CAST(COALESCE(booked.minor, 0) AS TEXT) AS expected, CAST(invoice.returned_minor AS TEXT) AS found
FROM invoice
LEFT JOIN (
    SELECT note.account_id, note.invoice_id, -SUM(posting.amount_minor) AS minor
    FROM credit_note AS note
    JOIN ledger_entry AS entry
        ON entry.account_id = note.account_id AND entry.credit_note_id = note.credit_note_id
    JOIN posting ON posting.account_id = entry.account_id AND posting.entry_id = entry.entry_id
        AND posting.ledger_account = 'BALANCE'
    WHERE entry.kind = 'CREDIT_NOTE' GROUP BY note.account_id, note.invoice_id
) AS booked ON booked.account_id = invoice.account_id AND booked.invoice_id = invoice.invoice_id
WHERE invoice.returned_minor <> COALESCE(booked.minor, 0)
