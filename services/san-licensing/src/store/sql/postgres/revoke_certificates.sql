UPDATE certificate
SET until_us = LEAST(until_us, given.t), revoke_us = given.t, revoke_reason = given.r, version = given.v,
    ca_revoke_us = NULLIF(given.a, '')::BIGINT
FROM unnest($1::TEXT[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[], $5::TEXT[]) AS given(c, t, r, v, a)
WHERE certificate_id = given.c
