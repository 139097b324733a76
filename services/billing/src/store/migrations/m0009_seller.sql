CREATE TABLE seller (
    place INTEGER PRIMARY KEY CHECK (place = 1),
    seller TEXT COLLATE "C" NOT NULL
);
INSERT INTO seller (place, seller) SELECT DISTINCT 1, seller FROM number_series;
