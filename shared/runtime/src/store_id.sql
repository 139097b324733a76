CREATE TABLE store (
    store_id TEXT COLLATE "C" PRIMARY KEY,
    made_us BIGINT NOT NULL
);

CREATE TABLE peer_store (
    peer TEXT COLLATE "C" PRIMARY KEY,
    store_id TEXT COLLATE "C" NOT NULL,
    kept_us BIGINT NOT NULL
);
