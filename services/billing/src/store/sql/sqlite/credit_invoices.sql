UPDATE invoice
SET credited_minor = credited_minor + (given.value ->> 'c'), returned_minor = returned_minor + (given.value ->> 'r'),
    state = given.value ->> 's'
FROM json_each($1) AS given
WHERE account_id = $2 AND invoice_id = given.value ->> 'i'
