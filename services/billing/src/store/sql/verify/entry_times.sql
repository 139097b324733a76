-- An account without entries has the time of its creation.
SELECT account.account_id AS subject, NULL AS currency, 'microsecond ' || COALESCE(MAX(entry.entry_us), account.created_us) AS expected,
    'microsecond ' || account.last_entry_us AS found
FROM account
LEFT JOIN ledger_entry AS entry ON entry.account_id = account.account_id
GROUP BY account.account_id, account.last_entry_us, account.created_us
HAVING account.last_entry_us <> COALESCE(MAX(entry.entry_us), account.created_us)
