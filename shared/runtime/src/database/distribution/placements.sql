SELECT
    logicalrelid::OID AS table_oid,
    CASE WHEN partmethod <> 'n' THEN column_to_column_name(logicalrelid, partkey) END AS distribution_column,
    colocationid::INTEGER AS colocation_group
FROM pg_dist_partition
