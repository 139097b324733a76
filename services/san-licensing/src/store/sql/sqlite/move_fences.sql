UPDATE license_fence
SET version = version + 1, as_of_us = MAX(as_of_us, given.value ->> 1)
FROM json_each($1) AS given
WHERE license_id = given.value ->> 0
RETURNING license_id, version, as_of_us
