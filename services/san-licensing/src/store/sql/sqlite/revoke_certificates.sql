UPDATE certificate
SET until_us = MIN(until_us, given.value ->> 't'), revoke_us = given.value ->> 't',
    revoke_reason = given.value ->> 'r', version = given.value ->> 'v'
FROM json_each($1) AS given
WHERE certificate_id = given.value ->> 'c'
