-- Everything that still holds SANs uses one index; changes since a version use another.
SELECT decision.license_id, decision.decision_id, decision.state, decision.names, decision.expire_us,
    decision.until_us
FROM {wanted}
JOIN decision
    ON decision.account_id = wanted.account_id AND decision.license_id = wanted.license_id
    AND decision.state = 'GRANTED' AND decision.expire_us > wanted.as_of_us
WHERE wanted.version = 0
UNION ALL
SELECT decision.license_id, decision.decision_id, decision.state, decision.names, decision.expire_us,
    decision.until_us
FROM {wanted}
JOIN decision
    ON decision.account_id = wanted.account_id AND decision.license_id = wanted.license_id
    AND decision.version > wanted.version
WHERE wanted.version > 0 AND decision.state <> 'DENIED'
