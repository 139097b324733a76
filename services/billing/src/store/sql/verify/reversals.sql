-- A reversal and the entry that it reverses sum to zero on every ledger account, and nothing is
-- reversed twice.
SELECT reversal.entry_id || ' with ' || COALESCE(reversal.reverses_entry_id, 'nothing') || ' on ' || side.ledger_account AS subject,
    reversal.currency AS currency, '0' AS expected, CAST(SUM(side.amount_minor) AS TEXT) AS found
FROM ledger_entry AS reversal
JOIN posting AS side
    ON side.account_id = reversal.account_id AND side.entry_id IN (reversal.entry_id, reversal.reverses_entry_id)
WHERE reversal.kind = 'REVERSAL'
GROUP BY reversal.account_id, reversal.entry_id, reversal.reverses_entry_id, reversal.currency, side.ledger_account
HAVING SUM(side.amount_minor) <> 0
UNION ALL
SELECT reversal.reverses_entry_id, NULL, '1 reversal of a deposit or withdrawal of the same account at most',
    COUNT(*) || ' of ' || COALESCE(reversed.kind, 'none')
FROM ledger_entry AS reversal
LEFT JOIN ledger_entry AS reversed
    ON reversed.account_id = reversal.account_id AND reversed.entry_id = reversal.reverses_entry_id
WHERE reversal.reverses_entry_id IS NOT NULL
GROUP BY reversal.account_id, reversal.reverses_entry_id, reversed.kind
HAVING COUNT(*) > 1 OR COALESCE(reversed.kind, 'none') NOT IN ('DEPOSIT', 'WITHDRAWAL')
    OR MIN(reversal.kind) <> 'REVERSAL' OR MAX(reversal.kind) <> 'REVERSAL'
