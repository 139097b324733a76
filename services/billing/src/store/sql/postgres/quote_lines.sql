SELECT offered.invoice_id || ', line ' || offered.line_number AS subject, NULL AS currency,
    offered.line AS expected, COALESCE(line.line, 'no line') AS found
FROM (
    SELECT quote.account_id, quote.invoice_id, part.line_number, CAST(part.line AS TEXT) AS line
    FROM quote, json_array_elements(CAST(quote.lines AS JSON)) WITH ORDINALITY AS part (line, line_number)
    WHERE quote.invoice_id IS NOT NULL
) AS offered
LEFT JOIN invoice_line AS line
    ON line.account_id = offered.account_id AND line.invoice_id = offered.invoice_id
    AND line.line_number = offered.line_number
WHERE CAST(offered.line AS JSONB) IS DISTINCT FROM CAST(line.line AS JSONB)
UNION ALL
SELECT charged.invoice_id, NULL, json_array_length(CAST(quote.lines AS JSON)) || ' lines', charged.lines || ' lines'
FROM quote
JOIN (
    SELECT account_id, invoice_id, COUNT(*) AS lines FROM invoice_line GROUP BY account_id, invoice_id
) AS charged ON charged.account_id = quote.account_id AND charged.invoice_id = quote.invoice_id
WHERE json_array_length(CAST(quote.lines AS JSON)) <> charged.lines
