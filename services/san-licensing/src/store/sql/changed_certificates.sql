-- Certificates that left for another licence (SL-20) hold nothing here.
SELECT certificate.license_id, certificate.certificate_id, certificate.names, certificate.until_us
FROM {wanted}
JOIN certificate
    ON certificate.account_id = wanted.account_id AND certificate.license_id = wanted.license_id
    AND certificate.version > wanted.version
WHERE wanted.version > 0 OR certificate.until_us > wanted.as_of_us
UNION ALL
SELECT departure.license_id, departure.certificate_id, '', NULL
FROM {wanted}
JOIN departure
    ON departure.account_id = wanted.account_id AND departure.license_id = wanted.license_id
    AND departure.version > wanted.version
WHERE wanted.version > 0
