SELECT certificate.license_id, certificate_id, names, until_us
FROM unnest($1::TEXT[], $2::BIGINT[], $3::BIGINT[]) AS wanted(l, v, t)
JOIN certificate ON certificate.license_id = wanted.l AND certificate.version > wanted.v
WHERE wanted.v > 0 OR until_us > wanted.t
