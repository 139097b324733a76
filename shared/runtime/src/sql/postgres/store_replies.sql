INSERT INTO replay (caller, method, request_id, fingerprint, outcome, body, recorded_us)
SELECT c, m, r, decode(f, 'hex'), o, decode(b, 'hex'), $2
FROM json_to_recordset($1::json) AS given(c TEXT, m TEXT, r TEXT, f TEXT, o TEXT, b TEXT)
