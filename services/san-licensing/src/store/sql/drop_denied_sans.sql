UPDATE decision
SET names = ''
FROM {denied}
WHERE decision.account_id = denied.account_id AND decision.decision_id = denied.decision_id
    AND decision.state = 'DENIED'
