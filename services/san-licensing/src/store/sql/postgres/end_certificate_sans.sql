UPDATE certificate_san SET until_us = LEAST(until_us, given.t)
FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[]) AS given(l, c, n, t),
    string_to_table(given.n, E'\n') AS of_certificate
WHERE certificate_san.license_id = given.l AND certificate_san.name = of_certificate
    AND certificate_san.certificate_id = given.c
