SELECT note.credit_note_id AS subject, note.currency AS currency,
    CAST(COALESCE(booked.minor, 0) AS TEXT) AS expected, CAST(note.returned_minor AS TEXT) AS found
FROM credit_note AS note
LEFT JOIN (
    SELECT entry.account_id, entry.credit_note_id, -SUM(posting.amount_minor) AS minor
    FROM ledger_entry AS entry
    JOIN posting ON posting.account_id = entry.account_id AND posting.entry_id = entry.entry_id
        AND posting.ledger_account = 'BALANCE'
    WHERE entry.kind = 'CREDIT_NOTE' GROUP BY entry.account_id, entry.credit_note_id
) AS booked ON booked.account_id = note.account_id AND booked.credit_note_id = note.credit_note_id
WHERE note.returned_minor <> COALESCE(booked.minor, 0)
