-- Only from where they were seen: a rival was there first otherwise.
UPDATE certificate SET license_id = given.l, version = given.v, allocate_us = given.t
FROM unnest($1::TEXT[], $2::TEXT[], $3::BIGINT[], $4::BIGINT[], $5::TEXT[]) AS given(c, l, v, t, f)
WHERE certificate_id = given.c AND COALESCE(certificate.license_id, '') = given.f
