SELECT line.invoice_id || ', line ' || line.line_number AS subject, invoice.currency AS currency,
    CAST(COALESCE(noted.minor, 0) AS TEXT) AS expected, CAST(line.credited_minor AS TEXT) AS found
FROM invoice_line AS line
JOIN invoice ON invoice.account_id = line.account_id AND invoice.invoice_id = line.invoice_id
LEFT JOIN (
    SELECT note.account_id, note.invoice_id, part.line_number, SUM(part.amount_minor) AS minor
    FROM credit_note AS note
    JOIN credit_note_line AS part
        ON part.account_id = note.account_id AND part.credit_note_id = note.credit_note_id
    GROUP BY note.account_id, note.invoice_id, part.line_number
) AS noted ON noted.account_id = line.account_id AND noted.invoice_id = line.invoice_id
    AND noted.line_number = line.line_number
WHERE line.credited_minor <> COALESCE(noted.minor, 0)
UNION ALL
SELECT note.credit_note_id, NULL, 'a line of ' || note.invoice_id, 'line ' || part.line_number
FROM credit_note AS note
JOIN credit_note_line AS part ON part.account_id = note.account_id AND part.credit_note_id = note.credit_note_id
LEFT JOIN invoice_line AS line ON line.account_id = note.account_id AND line.invoice_id = note.invoice_id
    AND line.line_number = part.line_number
WHERE line.invoice_id IS NULL
