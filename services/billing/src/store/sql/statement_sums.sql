-- In two halves: a turnover may exceed 64 bits where no balance does.
SELECT CASE WHEN entry.entry_us < $2 THEN NULL ELSE entry.kind END AS kind, posting.ledger_account AS ledger_account,
    CAST(SUM(posting.amount_minor / 4294967296) AS BIGINT) AS high,
    CAST(SUM(posting.amount_minor % 4294967296) AS BIGINT) AS low
FROM ledger_entry AS entry
JOIN posting ON posting.account_id = entry.account_id AND posting.entry_id = entry.entry_id
WHERE entry.account_id = $1 AND entry.entry_us < $3
GROUP BY 1, 2
