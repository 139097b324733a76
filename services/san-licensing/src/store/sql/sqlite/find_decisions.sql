SELECT decision_id, license_id, fingerprint, state, names, decision_json FROM decision
WHERE decision_id IN (SELECT value FROM json_each($1))
