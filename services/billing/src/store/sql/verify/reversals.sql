-- A reversal and the entry that it reverses sum to zero on every ledger account, and nothing is
-- reversed twice.
SELECT reversal.entry_id || ' with ' || COALESCE(reversal.reverses_entry_id, 'nothing') || ' on ' || side.ledger_account AS subject,
    reversal.currency AS currency, '0' AS expected, CAST(SUM(side.amount_minor) AS TEXT) AS found
FROM ledger_entry AS reversal
JOIN posting AS side ON side.entry_id IN (reversal.entry_id, reversal.reverses_entry_id)
WHERE reversal.kind = 'REVERSAL'
GROUP BY reversal.entry_id, reversal.reverses_entry_id, reversal.currency, side.ledger_account
HAVING SUM(side.amount_minor) <> 0
UNION ALL
SELECT reversed.entry_id, NULL, '1 reversal of a deposit or withdrawal of the same account at most',
    COUNT(*) || ' of ' || reversed.kind
FROM ledger_entry AS reversal
JOIN ledger_entry AS reversed ON reversed.entry_id = reversal.reverses_entry_id
GROUP BY reversed.entry_id, reversed.kind, reversed.account_id
HAVING COUNT(*) > 1 OR reversed.kind NOT IN ('DEPOSIT', 'WITHDRAWAL')
    OR MIN(reversal.account_id) <> reversed.account_id OR MIN(reversal.kind) <> 'REVERSAL'
