UPDATE license_fence
SET version = version + 1, as_of_us = MAX(as_of_us, $2)
WHERE license_id IN (SELECT value ->> 0 FROM json_each($1))
RETURNING license_id, version, as_of_us
