UPDATE license_term SET options_json = REPLACE(options_json, '"ECC"', '"ECC","ED25519"')
WHERE options_json NOT LIKE '%"ED25519"%';
