SELECT line.invoice_id || ', line ' || line.line_number AS subject, invoice.currency AS currency,
    'credits and holds of 0 to ' || line.amount_minor AS expected,
    'credited ' || line.credited_minor || ', held ' || line.held_minor AS found
FROM invoice_line AS line
JOIN invoice ON invoice.account_id = line.account_id AND invoice.invoice_id = line.invoice_id
-- A difference of two non-negative amounts fits into 64 bits; their sum may not.
WHERE CASE WHEN line.credited_minor < 0 OR line.held_minor < 0 OR line.amount_minor < 0 THEN 1
    WHEN line.held_minor > line.amount_minor - line.credited_minor THEN 1 ELSE 0 END = 1
