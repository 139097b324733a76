-- Rows that are sealed with a parent row, and have none.
SELECT 'version ' || part.version || ' of ' || part.product_id AS subject, NULL AS currency,
    'a product' AS expected, 'none' AS found
FROM product_version AS part
WHERE NOT EXISTS (SELECT 1 FROM product WHERE product.product_id = part.product_id)
UNION ALL
SELECT 'prices of ' || part.product_id || ' in ' || part.currency, NULL, 'a product', 'none'
FROM price_list AS part
WHERE NOT EXISTS (SELECT 1 FROM product WHERE product.product_id = part.product_id)
UNION ALL
SELECT 'line ' || part.line_number || ' of ' || part.invoice_id, NULL, 'an invoice', 'none'
FROM invoice_line AS part
WHERE NOT EXISTS (
    SELECT 1 FROM invoice WHERE invoice.account_id = part.account_id AND invoice.invoice_id = part.invoice_id
)
UNION ALL
SELECT 'line ' || part.line_number || ' of ' || part.credit_note_id, NULL, 'a credit note', 'none'
FROM credit_note_line AS part
WHERE NOT EXISTS (
    SELECT 1 FROM credit_note
    WHERE credit_note.account_id = part.account_id AND credit_note.credit_note_id = part.credit_note_id
)
UNION ALL
SELECT 'posting ' || part.posting_number || ' of ' || part.entry_id, NULL, 'an entry', 'none'
FROM posting AS part
WHERE NOT EXISTS (
    SELECT 1 FROM ledger_entry
    WHERE ledger_entry.account_id = part.account_id AND ledger_entry.entry_id = part.entry_id
)
