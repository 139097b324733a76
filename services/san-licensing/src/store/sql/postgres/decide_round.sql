-- Writes a whole round in one statement, provided that all fences have the expected versions and nonces
-- and none of the decisions exists. A fence that is moved in vain costs the next decision one query for changes.
WITH moved AS (
    UPDATE license_fence AS fence
    SET version = expected.version + 1, as_of_us = GREATEST(fence.as_of_us, expected.as_of_us),
        lineage = substr(expected.new_run || fence.lineage, 1, 1024)
    FROM {expected}
    WHERE fence.account_id = expected.account_id AND fence.license_id = expected.license_id
        AND fence.version = expected.version AND substr(fence.lineage, 1, 16) = expected.nonce
    RETURNING 1
), round AS (
    SELECT met, met AND NOT EXISTS (
        SELECT 1
        FROM unnest({decisions.account_id}, {decisions.decision_id}) AS made(account_id, decision_id)
        JOIN decision
            ON decision.account_id = made.account_id AND decision.decision_id = made.decision_id
    ) AS holds
    FROM (SELECT COUNT(*) = cardinality({expected.license_id}) AS met FROM moved) AS fences
), decided AS (
    INSERT INTO decision ({decisions:columns})
    SELECT {decisions:columns} FROM {decisions}
    WHERE (SELECT holds FROM round)
), emitted AS (
    {insert events} WHERE (SELECT holds FROM round)
)
SELECT met, holds FROM round
