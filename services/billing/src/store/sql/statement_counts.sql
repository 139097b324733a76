SELECT kind, COUNT(*) AS entries
FROM ledger_entry
WHERE account_id = $1 AND entry_us >= $2 AND entry_us < $3
GROUP BY kind
