SELECT decision.license_id, decision_id, state, names, expire_us
FROM json_to_recordset($1::json) AS wanted(l TEXT, v BIGINT, t BIGINT)
JOIN decision ON decision.license_id = wanted.l AND decision.version > wanted.v
WHERE state <> 'DENIED' AND (wanted.v > 0 OR (state = 'GRANTED' AND expire_us > wanted.t))
