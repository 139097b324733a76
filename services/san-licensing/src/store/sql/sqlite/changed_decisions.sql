SELECT decision.license_id, decision_id, state, names, expire_us
FROM json_each($1) AS wanted
JOIN decision
    ON decision.license_id = wanted.value ->> 'l' AND decision.version > wanted.value ->> 'v'
WHERE state <> 'DENIED'
    AND (wanted.value ->> 'v' > 0 OR (state = 'GRANTED' AND expire_us > wanted.value ->> 't'))
