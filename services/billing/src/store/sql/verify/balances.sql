-- A balance is a liability, so its postings sum to the negated balance. Summed in two halves: the
-- turnover of many years may exceed 64 bits where no balance does.
SELECT account.account_id AS subject, account.currency AS currency,
    CAST(COALESCE(booked.minor, 0) AS TEXT) AS expected, CAST(account.balance_minor AS TEXT) AS found
FROM account
LEFT JOIN (
    SELECT halves.account_id, ((halves.high + (halves.low >> 32)) << 32) | (halves.low & 4294967295) AS minor
    FROM (
        SELECT posting.account_id, CAST(SUM((-posting.amount_minor) >> 32) AS BIGINT) AS high,
            CAST(SUM((-posting.amount_minor) & 4294967295) AS BIGINT) AS low
        FROM posting WHERE posting.ledger_account = 'BALANCE' GROUP BY posting.account_id
    ) AS halves
) AS booked ON booked.account_id = account.account_id
WHERE account.balance_minor <> COALESCE(booked.minor, 0)
