-- The ledger accounts and sides that each kind of entry may post to; a debit is positive.
-- `reversals` checks a reversal against the entry that it reverses.
WITH permitted (kind, ledger_account, side) AS (
    VALUES ('DEPOSIT', 'CASH', 1), ('DEPOSIT', 'BALANCE', -1),
        ('WITHDRAWAL', 'BALANCE', 1), ('WITHDRAWAL', 'CASH', -1),
        ('INVOICE', 'RECEIVABLE', 1), ('INVOICE', 'REVENUE', -1),
        ('PAYMENT', 'BALANCE', 1), ('PAYMENT', 'RECEIVABLE', -1),
        ('CREDIT_NOTE', 'REVENUE', 1), ('CREDIT_NOTE', 'RECEIVABLE', -1), ('CREDIT_NOTE', 'BALANCE', -1),
        ('REVERSAL', 'CASH', 1), ('REVERSAL', 'CASH', -1),
        ('REVERSAL', 'BALANCE', 1), ('REVERSAL', 'BALANCE', -1)
)
SELECT posting.entry_id || ', posting ' || posting.posting_number AS subject, entry.currency AS currency,
    'what ' || COALESCE(entry.kind, 'no entry') || ' moves' AS expected,
    posting.amount_minor || ' on ' || posting.ledger_account || ' of ' || posting.account_id AS found
FROM posting
LEFT JOIN ledger_entry AS entry ON entry.account_id = posting.account_id AND entry.entry_id = posting.entry_id
LEFT JOIN permitted
    ON permitted.kind = entry.kind AND permitted.ledger_account = posting.ledger_account
    AND permitted.side * posting.amount_minor > 0
WHERE permitted.kind IS NULL
