UPDATE certificate_san SET until_us = MIN(until_us, given.value ->> 't')
FROM json_each($1) AS given, json_each(given.value, '$.m') AS of_certificate
WHERE certificate_san.license_id = given.value ->> 'l' AND certificate_san.name = of_certificate.value
    AND certificate_san.certificate_id = given.value ->> 'c'
