SELECT certificate.* FROM json_each($1) AS wanted
JOIN certificate
    ON certificate.account_id = wanted.value ->> 'a' AND issuer_sha256 = wanted.value ->> 'i'
    AND serial_hex = wanted.value ->> 's'
