-- Stands in for Citus: its catalogue, and functions that only note where tables are. Like those of Citus, they refuse
-- a table before those that its foreign keys lead to.
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_local_group (groupid INTEGER NOT NULL);
INSERT INTO pg_dist_local_group VALUES (0);
CREATE TABLE pg_catalog.pg_dist_node (
    groupid INTEGER NOT NULL,
    isactive BOOLEAN NOT NULL,
    shouldhaveshards BOOLEAN NOT NULL
);
INSERT INTO pg_dist_node VALUES (0, TRUE, FALSE), (1, TRUE, TRUE);
CREATE TABLE pg_catalog.pg_dist_partition (
    logicalrelid REGCLASS PRIMARY KEY,
    partmethod "char" NOT NULL,
    partkey TEXT,
    colocationid INTEGER NOT NULL
);
GRANT SELECT ON pg_dist_local_group, pg_dist_node, pg_dist_partition TO PUBLIC;

CREATE FUNCTION pg_catalog.column_to_column_name(of_table REGCLASS, partkey TEXT) RETURNS TEXT
LANGUAGE sql RETURN partkey;

CREATE FUNCTION pg_catalog.create_distributed_table(placed REGCLASS, by_column TEXT, colocate_with TEXT) RETURNS VOID
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM pg_constraint
        WHERE contype = 'f' AND conrelid = placed AND confrelid <> placed
            AND confrelid NOT IN (SELECT logicalrelid FROM pg_dist_partition WHERE partmethod = 'h')
    ) THEN
        RAISE EXCEPTION '% refers to a table that is not distributed', placed;
    END IF;
    INSERT INTO pg_dist_partition
    SELECT placed, 'h', by_column, CASE
        WHEN colocate_with = 'none' THEN (SELECT COALESCE(MAX(colocationid), 0) + 1 FROM pg_dist_partition)
        ELSE (SELECT colocationid FROM pg_dist_partition WHERE logicalrelid = colocate_with::REGCLASS)
    END;
END
$$;

CREATE FUNCTION pg_catalog.truncate_local_data_after_distributing_table(placed REGCLASS) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = placed AND partmethod = 'h') THEN
        RAISE EXCEPTION '% is not distributed', placed;
    END IF;
END
$$;

CREATE FUNCTION pg_catalog.citus_add_local_table_to_metadata(placed REGCLASS, cascade_via_foreign_keys BOOLEAN)
RETURNS VOID LANGUAGE sql SECURITY DEFINER AS $$
    WITH RECURSIVE connected (id) AS (
        SELECT placed
        UNION
        SELECT CASE WHEN conrelid = id THEN confrelid ELSE conrelid END::REGCLASS
        FROM connected JOIN pg_constraint ON contype = 'f' AND id IN (conrelid, confrelid)
    )
    INSERT INTO pg_dist_partition SELECT id, 'n', NULL, 0 FROM connected
$$;
