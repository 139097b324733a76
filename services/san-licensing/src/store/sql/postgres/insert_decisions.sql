INSERT INTO decision
    (license_id, decision_id, version, fingerprint, state, names, decided_us, expire_us, decision_json)
SELECT l, i, v, f, s, n, d, e, j
FROM json_to_recordset($1::json)
    AS given(l TEXT, i TEXT, v BIGINT, f TEXT, s TEXT, n TEXT, d BIGINT, e BIGINT, j TEXT)
