CREATE TABLE usage_turn (
    license_id TEXT COLLATE "C" PRIMARY KEY REFERENCES license (license_id),
    next_us BIGINT NOT NULL
);
CREATE INDEX usage_turn_by_time ON usage_turn (next_us, license_id);
INSERT INTO usage_turn
SELECT license_id, (SELECT MAX(as_of_us) FROM license_fence) FROM license WHERE progress = 'ACTIVE';
