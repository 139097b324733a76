CREATE TABLE seal (
    subject TEXT COLLATE "C" PRIMARY KEY,
    digest TEXT NOT NULL
);
