-- All that still holds by one index; what changed since a version by another.
SELECT decision.license_id, decision_id, state, names, expire_us, until_us
FROM json_each($1) AS wanted
JOIN decision
    ON decision.license_id = wanted.value ->> 0 AND state = 'GRANTED' AND expire_us > wanted.value ->> 2
WHERE wanted.value ->> 1 = 0
UNION ALL
SELECT decision.license_id, decision_id, state, names, expire_us, until_us
FROM json_each($1) AS wanted
JOIN decision
    ON decision.license_id = wanted.value ->> 0 AND decision.version > wanted.value ->> 1
WHERE wanted.value ->> 1 > 0 AND state <> 'DENIED'
