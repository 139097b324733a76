UPDATE certificate
SET until_us = LEAST(until_us, given.t), revoke_us = given.t, revoke_reason = given.r, version = given.v
FROM json_to_recordset($1::json) AS given(c TEXT, t BIGINT, r TEXT, v BIGINT)
WHERE certificate_id = given.c
