SELECT decision_id, license_id, fingerprint, state, names, decided_us, expire_us, quota, used, reserved,
    needed, denial_json
FROM decision WHERE decision_id IN (SELECT value ->> 0 FROM json_each($1))
