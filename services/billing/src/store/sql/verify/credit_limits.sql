SELECT line.invoice_id || ', line ' || line.line_number AS subject, invoice.currency AS currency,
    'credits and holds of 0 to ' || line.amount_minor AS expected,
    'credited ' || line.credited_minor || ', held ' || line.held_minor AS found
FROM invoice_line AS line
JOIN invoice ON invoice.invoice_id = line.invoice_id
WHERE line.credited_minor < 0 OR line.held_minor < 0 OR line.credited_minor + line.held_minor > line.amount_minor
