UPDATE certificate
SET until_us = MIN(until_us, given.value ->> 1), revoke_us = given.value ->> 1,
    revoke_reason = given.value ->> 2, version = given.value ->> 3,
    ca_revoke_us = CAST(NULLIF(given.value ->> 4, '') AS INTEGER)
FROM json_each($1) AS given
WHERE certificate_id = given.value ->> 0
