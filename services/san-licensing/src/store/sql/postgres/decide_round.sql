-- A whole round in one statement: the fences are moved where they stand as expected, and unless all of
-- them did, or one of the decisions is there already, nothing is written. A fence that was moved for
-- nothing costs the next decision a look at what changed, which is nothing.
WITH moved AS (
    UPDATE license_fence AS fence
    SET version = expected.version + 1, as_of_us = GREATEST(fence.as_of_us, expected.as_of_us)
    FROM {expected}
    WHERE fence.license_id = expected.license_id AND fence.version = expected.version
    RETURNING 1
), round AS (
    SELECT met, met AND NOT EXISTS (
        SELECT 1 FROM decision WHERE decision_id = ANY({decisions.decision_id})
    ) AS holds
    FROM (SELECT COUNT(*) = cardinality({expected.license_id}) AS met FROM moved) AS fences
), decided AS (
    INSERT INTO decision ({decisions:columns})
    SELECT {decisions:columns} FROM {decisions}
    WHERE (SELECT holds FROM round)
), told AS (
    {insert events} WHERE (SELECT holds FROM round)
)
SELECT met, holds FROM round
