INSERT INTO decision
    (license_id, decision_id, version, fingerprint, state, names, decided_us, expire_us, quota, used,
    reserved, needed, denial_json, until_us)
SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6,
    value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, NULLIF(value ->> 12, ''),
    value ->> 13
FROM json_each($1)
