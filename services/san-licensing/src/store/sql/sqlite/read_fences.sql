SELECT license_id, version, as_of_us FROM license_fence
WHERE license_id IN (SELECT value ->> 0 FROM json_each($1))
