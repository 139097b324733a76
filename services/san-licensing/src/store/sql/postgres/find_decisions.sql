SELECT decision_id, license_id, fingerprint, state, names, decided_us, expire_us, quota, used, reserved,
    needed, denial_json
FROM decision WHERE decision_id = ANY({wanted.decision_id})
