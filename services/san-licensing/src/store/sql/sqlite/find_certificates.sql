SELECT certificate.* FROM json_each($1) AS wanted
JOIN certificate
    ON certificate.account_id = wanted.value ->> 0 AND issuer_sha256 = wanted.value ->> 1
    AND serial_hex = wanted.value ->> 2
