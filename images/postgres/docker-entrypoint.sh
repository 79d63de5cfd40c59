#!/bin/bash
# Entrypoint of the stand-in for the official postgres image.
. /usr/local/lib/cvx/entrypoint.sh

run_sql() {
    psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc -q \
        --username "$POSTGRES_USER" --dbname "${1:-$POSTGRES_DB}"
}
# The official image's scripts are sometimes written against this name.
docker_process_sql() {
    psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc \
        --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}

check_settings() {
    setting POSTGRES_PASSWORD
    setting POSTGRES_USER postgres
    setting POSTGRES_DB "$POSTGRES_USER"
    setting POSTGRES_INITDB_ARGS
    : "${POSTGRES_HOST_AUTH_METHOD:=}"
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        fail "Database is uninitialized and superuser password is not" \
            "specified: set POSTGRES_PASSWORD to a non-empty value (or" \
            "POSTGRES_HOST_AUTH_METHOD=trust to let everyone in)"
    fi
}

# Not synced to disk: what is lost in a crash now is made again in a second.
# eval, because POSTGRES_INITDB_ARGS is a piece of command line, with quotes.
make_cluster() {
    eval 'initdb -D "$PGDATA" --username="$POSTGRES_USER" --no-sync \
        --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") \
        ${POSTGRES_INITDB_WALDIR:+--waldir "$POSTGRES_INITDB_WALDIR"} \
        '"$POSTGRES_INITDB_ARGS" >/dev/null
    if [ -z "$POSTGRES_HOST_AUTH_METHOD" ]; then
        POSTGRES_HOST_AUTH_METHOD=$(postgres -C password_encryption -D "$PGDATA" "$@")
    fi
    printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" \
        >>"$PGDATA/pg_hba.conf"
}

# On the unix socket alone: nobody outside takes this server for the real one.
init_databases() {
    export PGPASSWORD=$POSTGRES_PASSWORD PGHOST= PGHOSTADDR=
    pg_ctl -D "$PGDATA" -w -s \
        -o "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")" start
    if [ "$POSTGRES_DB" != postgres ]; then
        printf 'CREATE DATABASE :"db";\n' |
            psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc -q -v \
                db="$POSTGRES_DB" --username "$POSTGRES_USER" --dbname postgres
    fi
    run_init_files
    pg_ctl -D "$PGDATA" -m fast -w -s stop
    unset PGPASSWORD PGHOST PGHOSTADDR
    note "PostgreSQL init process complete; ready for start up."
}

case ${1:-} in
-*) set -- postgres "$@" ;;
esac
if [ "$1" = postgres ] && ! wants_help "$@"; then
    if [ "$(id -u)" = 0 ]; then
        own postgres "$PGDATA" /var/run/postgresql \
            ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"}
        exec gosu postgres "$0" "$@"
    fi
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA" 2>/dev/null || true
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        check_settings
        make_cluster "${@:2}"
        init_databases "${@:2}"
    fi
fi
exec "$@"
