-- What ended once keeps its end: an answer about the past never changes (T-6).
UPDATE decision
SET state = given.value ->> 1, version = given.value ->> 2, closed_us = COALESCE(closed_us, given.value ->> 3)
FROM json_each($1) AS given
WHERE decision_id = given.value ->> 0
