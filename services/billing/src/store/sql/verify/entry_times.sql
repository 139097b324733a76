SELECT account.account_id AS subject, NULL AS currency, 'microsecond ' || MAX(entry.entry_us) || ' or later' AS expected,
    'microsecond ' || account.last_entry_us AS found
FROM account
JOIN ledger_entry AS entry ON entry.account_id = account.account_id
GROUP BY account.account_id, account.last_entry_us
HAVING account.last_entry_us < MAX(entry.entry_us)
