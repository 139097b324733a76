INSERT INTO departure (license_id, version, certificate_id, to_license_id, depart_us)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each($1)
