-- All that still holds by one index; what changed since a version by another.
WITH wanted AS (
    SELECT * FROM unnest($1::TEXT[], $2::BIGINT[], $3::BIGINT[]) AS wanted(l, v, t)
)
SELECT decision.license_id, decision_id, state, names, expire_us, until_us
FROM wanted
JOIN decision ON decision.license_id = wanted.l AND state = 'GRANTED' AND expire_us > wanted.t
WHERE wanted.v = 0
UNION ALL
SELECT decision.license_id, decision_id, state, names, expire_us, until_us
FROM wanted
JOIN decision ON decision.license_id = wanted.l AND decision.version > wanted.v
WHERE wanted.v > 0 AND state <> 'DENIED'
