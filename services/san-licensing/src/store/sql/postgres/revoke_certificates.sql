UPDATE certificate
SET until_us = LEAST(until_us, given.t), revoke_us = given.t, revoke_reason = given.r, version = given.v
FROM unnest($1::TEXT[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[]) AS given(c, t, r, v)
WHERE certificate_id = given.c
