#!/bin/sh
# Keeps one throwaway PostgreSQL cluster while its standard input stays open; however the test
# process ends, its side of that pipe closes, and the cluster goes with its folder.
# Arguments: folder with the PostgreSQL programs, port, further lines of postgresql.conf. The
# superuser's password comes in the environment, which other users of the machine cannot read.
set -eu
programs=$1 port=$2 settings=$3
folder=$(mktemp -d "${TMPDIR:-/tmp}/licet-postgres.XXXXXX")
cd "$folder"

finish() {
    "$programs/pg_ctl" stop --silent --mode=immediate --pgdata="$folder/data" >/dev/null 2>&1 || true
    cd /
    rm -rf "$folder"
}
trap finish EXIT
# An interrupt reaches the whole process group; the pipe says when it is time.
trap '' HUP INT TERM

printf '%s\n' "$LICET_TEST_PASSWORD" >password
# A collation that is not the byte order shows where a query forgot to ask for the byte order.
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
