UPDATE certificate
SET until_us = MIN(until_us, given.value ->> 1), revoke_us = given.value ->> 1,
    revoke_reason = given.value ->> 2, version = given.value ->> 3
FROM json_each($1) AS given
WHERE certificate_id = given.value ->> 0
