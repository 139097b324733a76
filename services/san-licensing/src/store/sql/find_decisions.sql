SELECT decision.account_id, decision.decision_id, license_id, fingerprint, state, names, decided_us, expire_us,
    quota, used, reserved, needed, denial_json
FROM {wanted}
JOIN decision
    ON decision.account_id = wanted.account_id AND decision.decision_id = wanted.decision_id
