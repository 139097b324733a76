ALTER TABLE order_term ADD COLUMN common_name TEXT COLLATE "C";
ALTER TABLE domain_change ADD COLUMN common_name TEXT COLLATE "C";
