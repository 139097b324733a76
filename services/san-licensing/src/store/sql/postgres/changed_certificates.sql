-- What left for another licence (SL-20) holds nothing here any more.
SELECT certificate.license_id, certificate_id, names, until_us
FROM unnest($1::TEXT[], $2::BIGINT[], $3::BIGINT[]) AS wanted(l, v, t)
JOIN certificate ON certificate.license_id = wanted.l AND certificate.version > wanted.v
WHERE wanted.v > 0 OR until_us > wanted.t
UNION ALL
SELECT departure.license_id, certificate_id, '', NULL
FROM unnest($1::TEXT[], $2::BIGINT[], $3::BIGINT[]) AS wanted(l, v, t)
JOIN departure ON departure.license_id = wanted.l AND departure.version > wanted.v
WHERE wanted.v > 0
