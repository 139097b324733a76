SELECT account.account_id AS subject, account.currency AS currency,
    CAST(COALESCE(asked.minor, 0) AS TEXT) AS expected, CAST(account.receivable_minor AS TEXT) AS found
FROM account
LEFT JOIN (
    SELECT account_id, SUM(total_minor - paid_minor - (credited_minor - returned_minor)) AS minor
    FROM invoice GROUP BY account_id
) AS asked ON asked.account_id = account.account_id
WHERE account.receivable_minor <> COALESCE(asked.minor, 0)
