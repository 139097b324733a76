CREATE TABLE license_term (
    license_id TEXT COLLATE "C" NOT NULL REFERENCES license (license_id),
    term_index BIGINT NOT NULL,
    anchor_us BIGINT NOT NULL,
    first_month BIGINT NOT NULL,
    months BIGINT NOT NULL,
    sold_json TEXT NOT NULL,
    products_json TEXT NOT NULL,
    sold_us BIGINT NOT NULL,
    options_json TEXT NOT NULL,
    raises_json TEXT NOT NULL,
    bought_late_us BIGINT,
    PRIMARY KEY (license_id, term_index)
);
INSERT INTO license_term
SELECT license_id, 0, anchor_us, first_month, months, price_json, products_json, create_us, options_json,
    raises_json, NULL
FROM license;
ALTER TABLE license DROP COLUMN quota;
ALTER TABLE license DROP COLUMN raises_json;
ALTER TABLE license DROP COLUMN options_json;
ALTER TABLE license DROP COLUMN anchor_us;
ALTER TABLE license DROP COLUMN first_month;
ALTER TABLE license DROP COLUMN months;
ALTER TABLE license DROP COLUMN price_json;
ALTER TABLE license ADD COLUMN renewing BIGINT NOT NULL DEFAULT 0;
ALTER TABLE license ADD COLUMN cancel_us BIGINT;
ALTER TABLE decision ADD COLUMN until_us BIGINT NOT NULL DEFAULT 0;
