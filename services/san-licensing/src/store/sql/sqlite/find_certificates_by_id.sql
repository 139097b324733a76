SELECT {certificate_columns} FROM certificate WHERE certificate_id IN ({wanted.certificate_id})
