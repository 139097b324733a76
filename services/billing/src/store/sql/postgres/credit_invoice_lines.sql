-- The array makes even a plan for few rows use the whole key.
UPDATE invoice_line
SET credited_minor = credited_minor + given.c
FROM json_to_recordset($1::json) AS given(i TEXT, n INTEGER, c BIGINT)
WHERE account_id = $2 AND invoice_id = given.i AND line_number = given.n
    AND invoice_id = ANY (ARRAY(SELECT i FROM json_to_recordset($1::json) AS named(i TEXT)))
