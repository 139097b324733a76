SELECT * FROM certificate WHERE certificate_id IN (SELECT value FROM json_each($1))
