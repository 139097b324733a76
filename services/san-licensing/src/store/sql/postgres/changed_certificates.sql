SELECT certificate.license_id, certificate_id, names, until_us
FROM json_to_recordset($1::json) AS wanted(l TEXT, v BIGINT, t BIGINT)
JOIN certificate ON certificate.license_id = wanted.l AND certificate.version > wanted.v
WHERE wanted.v > 0 OR until_us > wanted.t
