SELECT invoice.invoice_id AS subject, invoice.currency AS currency,
    CAST(COALESCE(SUM(line.held_minor), 0) AS TEXT) AS expected, CAST(invoice.held_minor AS TEXT) AS found
FROM invoice
LEFT JOIN invoice_line AS line ON line.account_id = invoice.account_id AND line.invoice_id = invoice.invoice_id
GROUP BY invoice.account_id, invoice.invoice_id, invoice.currency, invoice.held_minor
HAVING invoice.held_minor <> COALESCE(SUM(line.held_minor), 0)
UNION ALL
SELECT holding.account_id || ' ' || COALESCE(holding.resource_id || ', term ' || holding.term_index, 'without a subject'),
    holding.currency, CAST(SUM(holding.reviewed_minor) AS TEXT), CAST(SUM(holding.held_minor) AS TEXT)
FROM (
    SELECT account_id, resource_id, term_index, currency, 0 AS reviewed_minor, held_minor FROM invoice
    UNION ALL
    SELECT account_id, resource_id, term_index, currency, creditable_minor, 0 FROM refund
    WHERE state = 'PENDING_REVIEW'
) AS holding
GROUP BY holding.account_id, holding.resource_id, holding.term_index, holding.currency
HAVING SUM(holding.reviewed_minor) <> SUM(holding.held_minor)
