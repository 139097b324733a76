SELECT decision.license_id, decision_id, state, names, expire_us
FROM unnest($1::TEXT[], $2::BIGINT[], $3::BIGINT[]) AS wanted(l, v, t)
JOIN decision ON decision.license_id = wanted.l AND decision.version > wanted.v
WHERE state <> 'DENIED' AND (wanted.v > 0 OR (state = 'GRANTED' AND expire_us > wanted.t))
