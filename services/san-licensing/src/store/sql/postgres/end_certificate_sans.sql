UPDATE certificate_san SET until_us = LEAST(until_us, given.t)
FROM json_to_recordset($1::json) AS given(c TEXT, l TEXT, n TEXT, t BIGINT),
    string_to_table(given.n, E'\n') AS of_certificate
WHERE certificate_san.license_id = given.l AND certificate_san.name = of_certificate
    AND certificate_san.certificate_id = given.c
