-- A reservation that has ended keeps its end: the past never changes (T-6).
UPDATE decision
SET state = closed.state, version = closed.version,
    closed_us = COALESCE(decision.closed_us, closed.closed_us)
FROM {closed}
WHERE decision.account_id = closed.account_id AND decision.decision_id = closed.decision_id
