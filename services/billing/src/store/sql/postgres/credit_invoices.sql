UPDATE invoice
SET credited_minor = credited_minor + given.c, returned_minor = returned_minor + given.r, state = given.s
FROM json_to_recordset($1::json) AS given(i TEXT, c BIGINT, r BIGINT, s TEXT)
WHERE invoice_id = given.i
