-- What ended once keeps its end: an answer about the past never changes (T-6).
UPDATE decision SET state = given.s, version = given.v, closed_us = COALESCE(closed_us, given.c)
FROM json_to_recordset($1::json) AS given(i TEXT, s TEXT, v BIGINT, c BIGINT)
WHERE decision_id = given.i
