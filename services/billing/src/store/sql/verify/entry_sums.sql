SELECT entry.entry_id AS subject, entry.currency AS currency, '0' AS expected,
    CAST(COALESCE(SUM(posting.amount_minor), 0) AS TEXT) AS found
FROM ledger_entry AS entry
LEFT JOIN posting ON posting.account_id = entry.account_id AND posting.entry_id = entry.entry_id
GROUP BY entry.account_id, entry.entry_id, entry.currency
HAVING COALESCE(SUM(posting.amount_minor), 1) <> 0
