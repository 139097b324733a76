-- What ended once keeps its end: an answer about the past never changes (T-6).
UPDATE decision SET state = given.value ->> 's', version = given.value ->> 'v', closed_us = COALESCE(closed_us, given.value ->> 'c')
FROM json_each($1) AS given
WHERE decision_id = given.value ->> 'i'
