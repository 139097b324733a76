INSERT INTO departure (license_id, version, certificate_id, to_license_id, depart_us)
SELECT * FROM unnest($1::TEXT[], $2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::BIGINT[])
