-- The first number after each gap, series whose last number is wrong, and sellers other than the store's.
WITH numbered (seller, series, number) AS (
    SELECT seller, 'INVOICE', number FROM invoice
    UNION ALL SELECT seller, 'CREDIT_NOTE', number FROM credit_note
), followed AS (
    SELECT seller, series, number,
        LAG(number, 1, CAST(0 AS BIGINT)) OVER (PARTITION BY seller, series ORDER BY number) AS previous
    FROM numbered
)
SELECT seller || ' ' || series AS subject, NULL AS currency, CAST(previous + 1 AS TEXT) AS expected,
    CAST(number AS TEXT) AS found
FROM followed WHERE number <> previous + 1
UNION ALL
SELECT series.seller || ' ' || series.series || ' last', NULL, CAST(COALESCE(highest.number, 0) AS TEXT),
    CAST(series.last_number AS TEXT)
FROM number_series AS series
LEFT JOIN (
    SELECT seller, series, MAX(number) AS number FROM numbered GROUP BY seller, series
) AS highest ON highest.seller = series.seller AND highest.series = series.series
WHERE series.last_number <> COALESCE(highest.number, 0)
UNION ALL
SELECT DISTINCT numbered.seller || ' ' || numbered.series, NULL, 'a series', 'none'
FROM numbered
LEFT JOIN number_series AS series ON series.seller = numbered.seller AND series.series = numbered.series
WHERE series.seller IS NULL
UNION ALL
SELECT DISTINCT numbered.seller || ' ' || numbered.series, NULL, COALESCE(own.seller, 'a seller'), numbered.seller
FROM numbered
LEFT JOIN seller AS own ON own.place = 1
WHERE numbered.seller <> COALESCE(own.seller, '')
