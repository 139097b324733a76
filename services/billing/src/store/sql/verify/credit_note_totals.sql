SELECT note.credit_note_id AS subject, note.currency AS currency,
    CAST(COALESCE(SUM(part.amount_minor), 0) AS TEXT) AS expected, CAST(note.total_minor AS TEXT) AS found
FROM credit_note AS note
LEFT JOIN credit_note_line AS part
    ON part.account_id = note.account_id AND part.credit_note_id = note.credit_note_id
GROUP BY note.account_id, note.credit_note_id, note.currency, note.total_minor
HAVING note.total_minor <> COALESCE(SUM(part.amount_minor), 0)
