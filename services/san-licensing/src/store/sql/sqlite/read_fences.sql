SELECT license_id, version, as_of_us FROM license_fence
WHERE license_id IN (SELECT value FROM json_each($1))
