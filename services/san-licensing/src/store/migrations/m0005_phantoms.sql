DELETE FROM certificate_san WHERE name = '';
