UPDATE certificate_san SET until_us = LEAST(certificate_san.until_us, ended.time_us)
FROM {ended}, string_to_table(ended.names, E'\n') AS of_certificate
WHERE certificate_san.account_id = ended.account_id AND certificate_san.license_id = ended.license_id
    AND certificate_san.name = of_certificate AND certificate_san.certificate_id = ended.certificate_id
