SELECT quote.quote_id AS subject, quote.currency AS currency, CAST(quote.total_minor AS TEXT) AS expected,
    CAST(invoice.total_minor AS TEXT) AS found
FROM quote
JOIN invoice ON invoice.account_id = quote.account_id AND invoice.invoice_id = quote.invoice_id
WHERE invoice.total_minor <> quote.total_minor
UNION ALL
SELECT quote.quote_id, NULL, 'an invoice of ' || quote.account_id || ' from this quote',
    COALESCE(quote.invoice_id || ' from ' || invoice.quote_id, 'none')
FROM quote
LEFT JOIN invoice ON invoice.account_id = quote.account_id AND invoice.invoice_id = quote.invoice_id
WHERE quote.invoice_id IS NOT NULL AND (invoice.invoice_id IS NULL OR invoice.quote_id <> quote.quote_id)
UNION ALL
SELECT invoice.invoice_id, NULL, 'a quote of ' || invoice.account_id || ' that became this invoice',
    invoice.quote_id || ' became ' || COALESCE(quote.invoice_id, 'none')
FROM invoice
LEFT JOIN quote ON quote.account_id = invoice.account_id AND quote.quote_id = invoice.quote_id
WHERE quote.invoice_id IS NULL OR quote.invoice_id <> invoice.invoice_id
