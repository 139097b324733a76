SELECT asked.invoice_id AS subject, NULL AS currency,
    CASE WHEN asked.due_minor > 0 THEN 'OPEN' WHEN asked.due_minor = 0 THEN 'PAID'
        ELSE 'due of 0 or more' END AS expected,
    asked.state || ', due ' || asked.due_minor AS found
FROM (
    SELECT invoice_id, state, total_minor - paid_minor - (credited_minor - returned_minor) AS due_minor
    FROM invoice
) AS asked
WHERE asked.due_minor < 0
    OR asked.state <> CASE WHEN asked.due_minor > 0 THEN 'OPEN' ELSE 'PAID' END
