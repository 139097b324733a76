#!/bin/sh
# Keeps one throwaway PostgreSQL cluster while its standard input stays open. However the test
# process ends, that pipe closes, and the cluster is stopped and its folder deleted.
# Arguments: folder with the PostgreSQL programs, port, further lines of postgresql.conf. The
# superuser's password comes in the environment, which other users of the machine cannot read.
set -eu
programs=$1 port=$2 settings=$3
folder=$(mktemp -d "${TMPDIR:-/tmp}/licet-postgres.XXXXXX")
cd "$folder"

# With LICET_TEST_NOTE_STATEMENTS, every statement that services have sent is appended to that file, a JSON
# object a line.
note_statements() {
    [ -n "${LICET_TEST_NOTE_STATEMENTS:-}" ] || return 0
    PGPASSWORD=$LICET_TEST_PASSWORD "$programs/psql" --host=127.0.0.1 --port="$port" --username=postgres \
        --no-psqlrc --quiet --tuples-only --no-align --command="$statements" postgres \
        >>"$LICET_TEST_NOTE_STATEMENTS" 2>>init.log || cat init.log >&2
}
statements="CREATE EXTENSION pg_stat_statements;
SELECT DISTINCT jsonb_build_object('area', rolname, 'sql', query)
FROM pg_stat_statements JOIN pg_roles ON pg_roles.oid = userid WHERE rolname <> 'postgres'"

finish() {
    note_statements
    "$programs/pg_ctl" stop --silent --mode=immediate --pgdata="$folder/data" >/dev/null 2>&1 || true
    cd /
    rm -rf "$folder"
}
trap finish EXIT
# An interrupt reaches the whole process group, so ignore it and wait for the pipe.
trap '' HUP INT TERM

printf '%s\n' "$LICET_TEST_PASSWORD" >password
# With it, servers connect to each other.
printf '*:*:*:*:%s\n' "$LICET_TEST_PASSWORD" >passfile
chmod 600 passfile
export PGPASSFILE="$folder/passfile"
# A collation other than byte order reveals queries that forget to ask for byte order.
init() {
    "$programs/initdb" --pgdata="$folder/data" --username=postgres --auth=password \
        --pwfile="$folder/password" --encoding=UTF8 --no-sync "$@" >>init.log 2>&1 </dev/null
}
init --locale=C --locale-provider=icu --icu-locale=en-US || init --locale=C || {
    cat init.log >&2
    exit 1
}
cat >>data/postgresql.conf <<SETTINGS
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 300
$settings
SETTINGS
"$programs/pg_ctl" start --silent --wait --pgdata="$folder/data" --log="$folder/server.log" \
    </dev/null >/dev/null 2>&1 || {
    cat server.log >&2
    exit 1
}
echo ready
cat >/dev/null
