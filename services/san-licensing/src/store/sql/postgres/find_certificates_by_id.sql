SELECT {certificate_columns} FROM certificate WHERE certificate_id = ANY({wanted.certificate_id})
