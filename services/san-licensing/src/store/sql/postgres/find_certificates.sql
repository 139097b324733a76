SELECT certificate.* FROM certificate
JOIN json_to_recordset($1::json) AS wanted(a TEXT, i TEXT, s TEXT)
    ON certificate.account_id = wanted.a AND issuer_sha256 = wanted.i AND serial_hex = wanted.s
