ALTER TABLE order_term ADD COLUMN bought_us BIGINT;
ALTER TABLE certificate_order ADD COLUMN past_refunds_json TEXT;
