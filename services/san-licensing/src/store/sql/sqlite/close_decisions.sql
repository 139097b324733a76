UPDATE decision SET state = given.value ->> 's', version = given.value ->> 'v', closed_us = given.value ->> 'c'
FROM json_each($1) AS given
WHERE decision_id = given.value ->> 'i'
