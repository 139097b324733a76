SELECT decision.license_id, decision_id, state, names, expire_us
FROM json_each($1) AS wanted
JOIN decision
    ON decision.license_id = wanted.value ->> 0 AND decision.version > wanted.value ->> 1
WHERE state <> 'DENIED'
    AND (wanted.value ->> 1 > 0 OR (state = 'GRANTED' AND expire_us > wanted.value ->> 2))
