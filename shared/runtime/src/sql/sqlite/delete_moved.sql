DELETE FROM outbox WHERE id IN (SELECT value ->> 'id' FROM json_each($1))
