SELECT * FROM certificate WHERE certificate_id IN (SELECT value ->> 0 FROM json_each($1))
