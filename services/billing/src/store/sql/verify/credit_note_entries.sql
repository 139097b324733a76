SELECT note.credit_note_id AS subject, note.currency AS currency, CAST(note.total_minor AS TEXT) AS expected,
    CAST(COALESCE(booked.minor, 0) AS TEXT) AS found
FROM credit_note AS note
LEFT JOIN (
    SELECT entry.account_id, entry.credit_note_id, SUM(posting.amount_minor) AS minor
    FROM ledger_entry AS entry
    JOIN posting ON posting.account_id = entry.account_id AND posting.entry_id = entry.entry_id
        AND posting.ledger_account = 'REVENUE'
    WHERE entry.kind = 'CREDIT_NOTE' GROUP BY entry.account_id, entry.credit_note_id
) AS booked ON booked.account_id = note.account_id AND booked.credit_note_id = note.credit_note_id
WHERE note.total_minor <> COALESCE(booked.minor, 0)
UNION ALL
SELECT note.credit_note_id, NULL, 'an invoice of ' || note.account_id, note.invoice_id
FROM credit_note AS note
LEFT JOIN invoice ON invoice.account_id = note.account_id AND invoice.invoice_id = note.invoice_id
WHERE invoice.invoice_id IS NULL
UNION ALL
SELECT entry.entry_id, NULL, 'a credit note of ' || entry.account_id, COALESCE(entry.credit_note_id, 'none')
FROM ledger_entry AS entry
LEFT JOIN credit_note AS note
    ON note.account_id = entry.account_id AND note.credit_note_id = entry.credit_note_id
WHERE entry.kind = 'CREDIT_NOTE' AND note.credit_note_id IS NULL
