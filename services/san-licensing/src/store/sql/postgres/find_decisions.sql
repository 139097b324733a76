SELECT decision_id, license_id, fingerprint, state, names, decision_json FROM decision
WHERE decision_id IN (SELECT json_array_elements_text($1::json))
