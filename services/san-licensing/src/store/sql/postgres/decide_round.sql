-- A whole round in one statement: the fences are moved where they stand as expected, and unless all of
-- them did, or one of the decisions is there already, nothing is written. A fence that was moved for
-- nothing costs whoever comes next a look at what changed, which is nothing.
WITH moved AS (
    UPDATE license_fence AS fence
    SET version = expected.v + 1, as_of_us = GREATEST(fence.as_of_us, expected.t)
    FROM unnest($2::TEXT[], $3::BIGINT[], $4::BIGINT[]) AS expected(l, v, t)
    WHERE fence.license_id = expected.l AND fence.version = expected.v
    RETURNING 1
), round AS (
    SELECT met, met AND NOT EXISTS (SELECT 1 FROM decision WHERE decision_id = ANY($6::TEXT[])) AS holds
    FROM (SELECT COUNT(*) = cardinality($2::TEXT[]) AS met FROM moved) AS fences
), decided AS (
    INSERT INTO decision
        (license_id, decision_id, version, fingerprint, state, names, decided_us, expire_us, quota, used,
        reserved, needed, denial_json, until_us)
    SELECT l, i, v, f, s, n, d, e, q, u, r, w, NULLIF(j, ''), o
    FROM unnest(
        $5::TEXT[], $6::TEXT[], $7::BIGINT[], $8::BYTEA[], $9::TEXT[], $10::TEXT[], $11::BIGINT[],
        $12::BIGINT[], $13::BIGINT[], $14::BIGINT[], $15::BIGINT[], $16::BIGINT[], $17::TEXT[],
        $18::BIGINT[]
    ) AS given(l, i, v, f, s, n, d, e, q, u, r, w, j, o)
    WHERE (SELECT holds FROM round)
), told AS (
    {insert events} WHERE (SELECT holds FROM round)
)
SELECT met, holds FROM round
