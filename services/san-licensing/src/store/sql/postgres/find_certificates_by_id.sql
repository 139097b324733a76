SELECT * FROM certificate WHERE certificate_id = ANY($1::TEXT[])
