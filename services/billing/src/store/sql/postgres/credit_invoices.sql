-- The array makes even a plan for few rows use the whole key.
UPDATE invoice
SET credited_minor = credited_minor + given.c, returned_minor = returned_minor + given.r, state = given.s
FROM json_to_recordset($1::json) AS given(i TEXT, c BIGINT, r BIGINT, s TEXT)
WHERE account_id = $2 AND invoice_id = given.i
    AND invoice_id = ANY (ARRAY(SELECT i FROM json_to_recordset($1::json) AS named(i TEXT)))
