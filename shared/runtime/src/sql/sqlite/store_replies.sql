INSERT INTO replay (caller, method, request_id, fingerprint, outcome, body, recorded_us)
SELECT value ->> 'c', value ->> 'm', value ->> 'r', unhex(value ->> 'f'), value ->> 'o',
    unhex(value ->> 'b'), $2
FROM json_each($1)
