-- What left for another licence (SL-20) holds nothing here any more.
SELECT certificate.license_id, certificate_id, names, until_us
FROM json_each($1) AS wanted
JOIN certificate
    ON certificate.license_id = wanted.value ->> 0 AND certificate.version > wanted.value ->> 1
WHERE wanted.value ->> 1 > 0 OR until_us > wanted.value ->> 2
UNION ALL
SELECT departure.license_id, certificate_id, '', NULL
FROM json_each($1) AS wanted
JOIN departure
    ON departure.license_id = wanted.value ->> 0 AND departure.version > wanted.value ->> 1
WHERE wanted.value ->> 1 > 0
