-- Only from where they were seen: a rival was there first otherwise.
UPDATE certificate
SET license_id = given.value ->> 1, version = given.value ->> 2, allocate_us = given.value ->> 3
FROM json_each($1) AS given
WHERE certificate_id = given.value ->> 0 AND COALESCE(certificate.license_id, '') = given.value ->> 4
