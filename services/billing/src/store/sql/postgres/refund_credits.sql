SELECT refund.refund_id AS subject, refund.currency AS currency,
    CAST(COALESCE(SUM(granted.total_minor), 0) AS TEXT) AS expected, CAST(refund.refunded_minor AS TEXT) AS found
FROM refund
LEFT JOIN (
    SELECT refund.account_id, refund.refund_id, note.total_minor
    FROM refund
    CROSS JOIN json_array_elements_text(CAST(refund.credit_note_ids AS JSON)) AS named (value)
    JOIN credit_note AS note ON note.account_id = refund.account_id AND note.credit_note_id = named.value
) AS granted ON granted.account_id = refund.account_id AND granted.refund_id = refund.refund_id
GROUP BY refund.account_id, refund.refund_id, refund.currency, refund.refunded_minor
HAVING refund.refunded_minor <> COALESCE(SUM(granted.total_minor), 0)
