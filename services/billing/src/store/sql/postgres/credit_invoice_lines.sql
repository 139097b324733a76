UPDATE invoice_line
SET credited_minor = credited_minor + given.c
FROM json_to_recordset($1::json) AS given(i TEXT, n INTEGER, c BIGINT)
WHERE invoice_id = given.i AND line_number = given.n
