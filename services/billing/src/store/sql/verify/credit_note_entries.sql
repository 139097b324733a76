SELECT note.credit_note_id AS subject, note.currency AS currency, CAST(note.total_minor AS TEXT) AS expected,
    CAST(COALESCE(booked.minor, 0) AS TEXT) || CASE WHEN booked.account_id <> note.account_id
        THEN ' on ' || booked.account_id ELSE '' END AS found
FROM credit_note AS note
LEFT JOIN (
    SELECT entry.credit_note_id, MAX(entry.account_id) AS account_id, SUM(posting.amount_minor) AS minor
    FROM ledger_entry AS entry
    JOIN posting ON posting.entry_id = entry.entry_id AND posting.ledger_account = 'REVENUE'
    WHERE entry.kind = 'CREDIT_NOTE' GROUP BY entry.credit_note_id
) AS booked ON booked.credit_note_id = note.credit_note_id
WHERE note.total_minor <> COALESCE(booked.minor, 0) OR booked.account_id <> note.account_id
UNION ALL
SELECT note.credit_note_id, NULL, 'account ' || invoice.account_id, 'account ' || note.account_id
FROM credit_note AS note
JOIN invoice ON invoice.invoice_id = note.invoice_id
WHERE note.account_id <> invoice.account_id
UNION ALL
SELECT entry.entry_id, NULL, 'a credit note', COALESCE(entry.credit_note_id, 'none')
FROM ledger_entry AS entry
LEFT JOIN credit_note AS note ON note.credit_note_id = entry.credit_note_id
WHERE entry.kind = 'CREDIT_NOTE' AND note.credit_note_id IS NULL
