SELECT certificate.license_id, certificate_id, names, until_us
FROM json_each($1) AS wanted
JOIN certificate
    ON certificate.license_id = wanted.value ->> 'l' AND certificate.version > wanted.value ->> 'v'
WHERE wanted.value ->> 'v' > 0 OR until_us > wanted.value ->> 't'
