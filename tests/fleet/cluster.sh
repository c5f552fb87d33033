#!/bin/sh
# A PostgreSQL cluster, or a PgBouncer, for tests: from Debian's packages, on 127.0.0.1 and a
# port of its own, with all its files in one directory.
#
#     cluster.sh start DIR [MEGABYTES]   makes the cluster if there is none, starts it, prints its port
#     cluster.sh stop DIR                ends it hard and removes DIR
#     cluster.sh keep DIR [MEGABYTES]    start; at the end of stdin, stop: it never outlives who keeps it
#     cluster.sh pgbench PORT ARGUMENT…  PostgreSQL's own benchmark, against the cluster at PORT
#     cluster.sh bouncer DIR PORT        keeps a PgBouncer before the cluster at PORT, until the end of stdin
#
# With MEGABYTES the files are on a file system of that size, which only root can have.
# PostgreSQL refuses root, so root runs it as the user `postgres`.
set -eu

fail() {
    echo "cluster.sh: $*" >&2
    exit 1
}

as_postgres='setpriv --reuid=postgres --regid=postgres --init-groups --'
owned() {
    if [ "$(id -u)" = 0 ]; then
        $as_postgres "$@"
    else
        "$@"
    fi
}

# The directory of the newest server that is installed.
server() {
    found=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    [ -x "$found" ] || found=$(command -v initdb) ||
        fail "PostgreSQL is missing: install Debian's packages postgresql and pgbouncer"
    dirname "$found"
}

# Below the ports that the system gives to connections.
any_port() { shuf -i 20000-31999 -n 1; }

make_cluster() {
    if [ -n "$2" ]; then
        mount -t tmpfs -o "size=${2}m" tmpfs "$1" || fail "no file system of $2 MB can be mounted"
    fi
    [ "$(id -u)" != 0 ] || chown postgres: "$1"
    # Segments of 1 MB, so that a small disk is filled by tables and not by the log alone.
    owned "$bin/initdb" --no-sync --pgdata="$1/data" --username=postgres --auth=trust \
        --encoding=UTF8 --locale=C.UTF-8 --wal-segsize=1 >"$1/initdb.txt" 2>&1 ||
        fail "initdb: $(cat "$1/initdb.txt")"
    cat >>"$1/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 110
fsync = on
synchronous_commit = on
max_wal_size = '${2:-512}MB'
min_wal_size = '2MB'
CONF
    # Who is in this group, once it is made, needs a password.
    sed -i '1i host all +with_password 127.0.0.1/32 scram-sha-256' "$1/data/pg_hba.conf"
}

start() {
    [ -e "$1/data" ] || make_cluster "$1" "$2"
    # A process that was killed leaves its lock; who calls this knows that it is dead.
    rm -f "$1/data/postmaster.pid"
    for attempt in 1 2 3 4 5 6 7 8; do
        port=$(cat "$1/port" 2>/dev/null || any_port)
        if owned "$bin/pg_ctl" --pgdata="$1/data" --log="$1/log" --options="-p $port" \
            --wait --timeout=60 start >"$1/start.txt" 2>&1; then
            echo "$port" >"$1/port"
            return
        fi
        # Somebody else's port is the one reason to try again.
        grep -q 'could not create any TCP/IP sockets' "$1/log" || break
        : >"$1/log"
    done
    fail "the server did not start: $(cat "$1/start.txt") $(tail -n 20 "$1/log")"
}

# Ends the server and what it started, frozen or not.
end() {
    main=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null || true)
    [ -n "$main" ] || return 0
    kill -STOP "$main" 2>/dev/null || return 0
    others=$(grep -ls "^PPid:[[:space:]]*$main\$" /proc/[0-9]*/status | cut -d/ -f3 || true)
    # shellcheck disable=SC2086 # one word each
    kill -KILL "$main" $others 2>/dev/null || true
}

remove() {
    end "$1"
    ! mountpoint -q "$1" || umount -l "$1"
    # Something may still be written while the last process dies.
    rm -rf "$1" 2>/dev/null || { sleep 1; rm -rf "$1"; }
}

bouncer() {
    command=$(command -v pgbouncer || echo /usr/sbin/pgbouncer)
    [ -x "$command" ] || fail "PgBouncer is missing: install Debian's packages postgresql and pgbouncer"
    cat >"$1/users.txt" <<USERS
"postgres" ""
"alerts" ""
USERS
    for attempt in 1 2 3 4 5 6 7 8; do
        port=$(any_port)
        # No `ignore_startup_parameters`: what a client needs of the server, the server has.
        cat >"$1/bouncer.ini" <<INI
[databases]
* = host=127.0.0.1 port=$2
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = trust
auth_file = $1/users.txt
admin_users = postgres
pool_mode = transaction
default_pool_size = 10
max_client_conn = 2000
INI
        # Not by `owned`: a function in the background is a shell that waits, and no server.
        if [ "$(id -u)" = 0 ]; then
            chown -R postgres: "$1"
            $as_postgres "$command" "$1/bouncer.ini" >"$1/log" 2>&1 &
        else
            "$command" "$1/bouncer.ini" >"$1/log" 2>&1 &
        fi
        child=$!
        until grep -qs 'process up' "$1/log"; do
            kill -0 "$child" 2>/dev/null || break
            sleep 0.05
        done
        if kill -0 "$child" 2>/dev/null; then
            echo "$port"
            return
        fi
        grep -q 'Address already in use' "$1/log" || break
    done
    fail "PgBouncer did not start: $(cat "$1/log")"
}

# Whatever ends who keeps it, this goes on to the end of stdin.
wait_for_the_end() {
    trap '' HUP INT TERM
    cat >/dev/null
}

if [ "${1:-}" = pgbench ]; then
    bin=$(server)
    port=$2
    shift 2
    exec "$bin/pgbench" --host=127.0.0.1 --port="$port" --username=postgres "$@" postgres
fi
action=${1:-} directory=${2:-}
[ -d "$directory" ] || fail "usage: cluster.sh start|stop|keep|bouncer DIR, which exists"
case $action in
start)
    bin=$(server)
    start "$directory" "${3:-}"
    cat "$directory/port"
    ;;
stop)
    remove "$directory"
    ;;
keep)
    bin=$(server)
    trap 'remove "$directory"' EXIT
    start "$directory" "${3:-}"
    cat "$directory/port"
    wait_for_the_end
    ;;
bouncer)
    trap 'kill -KILL "$child" 2>/dev/null; rm -rf "$directory"' EXIT
    child=
    bouncer "$directory" "$3"
    wait_for_the_end
    ;;
*)
    fail "no action $action"
    ;;
esac
