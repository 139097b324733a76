SELECT * FROM certificate
WHERE certificate_id IN (SELECT json_array_elements_text($1::json))
