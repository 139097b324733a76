UPDATE invoice_line
SET credited_minor = credited_minor + (given.value ->> 'c')
FROM json_each($1) AS given
WHERE account_id = $2 AND invoice_id = given.value ->> 'i' AND line_number = given.value ->> 'n'
