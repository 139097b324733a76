SELECT entry.entry_us, entry.kind, entry.reference, invoice.number AS invoice_number, note.number AS credit_note_number,
    CAST(SUM(CASE WHEN posting.ledger_account = 'BALANCE' THEN -posting.amount_minor ELSE 0 END) AS BIGINT) AS balance_minor,
    CAST(SUM(CASE WHEN posting.ledger_account = 'RECEIVABLE' THEN posting.amount_minor ELSE 0 END) AS BIGINT) AS due_minor
FROM ledger_entry AS entry
JOIN posting ON posting.account_id = entry.account_id AND posting.entry_id = entry.entry_id
LEFT JOIN credit_note AS note ON note.account_id = entry.account_id AND note.credit_note_id = entry.credit_note_id
LEFT JOIN invoice ON invoice.account_id = entry.account_id
    AND invoice.invoice_id = COALESCE(entry.invoice_id, note.invoice_id)
WHERE entry.account_id = $1 AND entry.entry_us >= $2 AND entry.entry_us < $3
GROUP BY entry.entry_us, entry.entry_id, entry.kind, entry.reference, invoice.number, note.number
ORDER BY entry.entry_us, entry.entry_id
