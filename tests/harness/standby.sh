#!/bin/sh
# Keeps a PostgreSQL server, and on demand its streaming standby, while its standard input stays
# open; then it stops both and deletes their folder. Each line read is a command, answered by a line:
#   start N           starts server N (1 or 2) and waits for it
#   stop N MODE       stops it: fast, or immediate as a crash would
#   freeze N, thaw N  halts its processes, as a cut network would look from outside
#   copy              makes server 2 a standby of server 1 and starts it
#   promote           makes server 2 a primary
# Arguments: folder with the PostgreSQL programs, and the two ports. The superuser's password comes in
# the environment.
set -eu
programs=$1 first=$2 second=$3
folder=$(mktemp -d "${TMPDIR:-/tmp}/licet-standby.XXXXXX")
cd "$folder"
export PGPASSWORD="$LICET_TEST_PASSWORD"

control() { "$programs/pg_ctl" --silent --pgdata="$folder/$1" "$2" $3 </dev/null >>control.log 2>&1; }

signal() {
    leader=$(head -n 1 "$folder/$2/postmaster.pid")
    kill "-$1" "$leader"
    # A halted leader starts no further process. The fourth field of a process's line is its parent.
    children=$(cat /proc/[0-9]*/stat 2>/dev/null | awk -v leader="$leader" '$4 == leader { print $1 }')
    # One that ended since is none to halt.
    kill "-$1" $children 2>/dev/null || true
}

finish() {
    for server in 1 2; do
        [ -e "$folder/$server/postmaster.pid" ] || continue
        signal CONT "$server" 2>/dev/null || true
        control "$server" stop --mode=immediate || true
    done
    cd /
    rm -rf "$folder"
}
trap finish EXIT
# An interrupt reaches the whole process group, so ignore it and wait for the pipe.
trap '' HUP INT TERM

start() { control "$1" start "--wait --log=$folder/server-$1.log"; }

copy() {
    "$programs/pg_basebackup" --pgdata="$folder/2" --checkpoint=fast --write-recovery-conf --no-sync \
        --dbname="host=127.0.0.1 port=$first user=postgres application_name=standby" \
        </dev/null >>control.log 2>&1 || return 1
    # A promoted standby has no standby of its own.
    printf '%s\n' "port = $second" "synchronous_standby_names = ''" >>2/postgresql.conf
    start 2
}

printf '%s\n' "$LICET_TEST_PASSWORD" >password
"$programs/initdb" --pgdata="$folder/1" --username=postgres --auth=password --pwfile="$folder/password" \
    --encoding=UTF8 --locale=C --no-sync >>control.log 2>&1 </dev/null || {
    cat control.log >&2
    exit 1
}
cat >>1/postgresql.conf <<SETTINGS
listen_addresses = '127.0.0.1'
port = $first
unix_socket_directories = ''
max_connections = 300
fsync = off
full_page_writes = off
SETTINGS
start 1 || {
    cat server-1.log >&2
    exit 1
}
echo ready
while read -r command server mode; do
    case $command in
    start) start "$server" ;;
    stop) control "$server" stop "--wait --mode=$mode" ;;
    freeze) signal STOP "$server" ;;
    thaw) signal CONT "$server" ;;
    copy) copy ;;
    promote) control 2 promote --wait ;;
    esac && echo done || {
        echo "failed: $command: $(tail -n 3 control.log server-*.log | tr '\n' ' ')"
    }
done
