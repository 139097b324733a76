SELECT invoice.invoice_id AS subject, invoice.currency AS currency,
    CAST(COALESCE(SUM(line.amount_minor), 0) AS TEXT) AS expected, CAST(invoice.total_minor AS TEXT) AS found
FROM invoice
LEFT JOIN invoice_line AS line ON line.account_id = invoice.account_id AND line.invoice_id = invoice.invoice_id
GROUP BY invoice.account_id, invoice.invoice_id, invoice.currency, invoice.total_minor
HAVING invoice.total_minor <> COALESCE(SUM(line.amount_minor), 0)
UNION ALL
SELECT line.invoice_id, NULL, 'lines 1 to ' || COUNT(*),
    'lines ' || MIN(line.line_number) || ' to ' || MAX(line.line_number)
FROM invoice_line AS line
GROUP BY line.account_id, line.invoice_id
HAVING MIN(line.line_number) <> 1 OR MAX(line.line_number) <> COUNT(*)
