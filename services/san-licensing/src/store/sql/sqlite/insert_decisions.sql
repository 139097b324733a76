INSERT INTO decision
    (license_id, decision_id, version, fingerprint, state, names, decided_us, expire_us, decision_json)
SELECT value ->> 'l', value ->> 'i', value ->> 'v', value ->> 'f', value ->> 's', value ->> 'n',
    value ->> 'd', value ->> 'e', value ->> 'j'
FROM json_each($1)
