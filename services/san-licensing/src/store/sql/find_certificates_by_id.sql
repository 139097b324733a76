SELECT {certificate_columns}
FROM {wanted}
JOIN certificate
    ON certificate.account_id = wanted.account_id AND certificate.certificate_id = wanted.certificate_id
