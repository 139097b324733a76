UPDATE decision SET state = given.s, version = given.v, closed_us = given.c
FROM json_to_recordset($1::json) AS given(i TEXT, s TEXT, v BIGINT, c BIGINT)
WHERE decision_id = given.i
