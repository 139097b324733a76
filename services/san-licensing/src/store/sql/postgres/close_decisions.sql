-- What ended once keeps its end: an answer about the past never changes (T-6).
UPDATE decision SET state = given.s, version = given.v, closed_us = COALESCE(closed_us, given.c)
FROM unnest($1::TEXT[], $2::TEXT[], $3::BIGINT[], $4::BIGINT[]) AS given(i, s, v, c)
WHERE decision_id = given.i
