# sql-server.sh -- what the entrypoints of mysql and mariadb share. Each says,
# before it calls sql_server_main:
#
#   server      "mysqld"
#   client      "mysql"
#   admin       "mysqladmin"
#   tzinfo      "mysql_tzinfo_to_sql"
#   prefixes    whose variables count, the stronger last: "MYSQL MARIADB"
#   make_data   a function: an empty data directory, root without a password
#   user_sql    a function: SQL that makes a user: user_sql NAME HOST PASSWORD

socket=/run/mysqld/mysqld.sock

# option NAME DEFAULT ARG...: the value the server will take for --NAME: its
# arguments count before its files.
option() {
    local name=$1 value=$2 arg

    shift 2
    while read -r arg; do
        case $arg in
        --"$name"=*) value=${arg#*=} ;;
        esac
    done < <(my_print_defaults mysqld server mariadb mariadbd; printf '%s\n' "$@")
    printf '%s' "$value"
}

# want NAME: $NAME without a prefix, from the variables of all prefixes.
want() {
    local prefix value=

    for prefix in $prefixes; do
        setting "${prefix}_$1"
        eval "value=\${${prefix}_$1:-\$value}"
    done
    printf -v "$1" %s "$value"
}

check_settings() {
    local name

    for name in ROOT_PASSWORD ROOT_HOST DATABASE USER PASSWORD \
        ALLOW_EMPTY_PASSWORD ALLOW_EMPTY_ROOT_PASSWORD RANDOM_ROOT_PASSWORD \
        INITDB_SKIP_TZINFO; do
        want $name
    done
    ALLOW_EMPTY_PASSWORD=${ALLOW_EMPTY_PASSWORD:-$ALLOW_EMPTY_ROOT_PASSWORD}
    if [ -z "$ROOT_PASSWORD$ALLOW_EMPTY_PASSWORD$RANDOM_ROOT_PASSWORD" ]; then
        fail "Database is uninitialized and password option is not specified:" \
            "set one of ${prefixes##* }_ROOT_PASSWORD, _ALLOW_EMPTY_PASSWORD" \
            "and _RANDOM_ROOT_PASSWORD"
    fi
    if [ "$USER" = root ]; then
        fail "${prefixes##* }_USER=root: root is there anyway; use _ROOT_PASSWORD"
    fi
    if [ -n "$USER" ] && [ -z "$PASSWORD" ] && [ "${prefixes##* }" = MYSQL ]; then
        note "MYSQL_USER without MYSQL_PASSWORD: the user is not made"
        USER=
    fi
}

# A string as SQL has it.
quoted() {
    local text=${1//\\/\\\\}

    printf "'%s'" "${text//\'/\'\'}"
}

# The client, as root on the temporary server; the password goes by a file.
as_admin() {
    local command=$1

    shift
    "$command" --defaults-extra-file=<(printf '[client]\npassword="%s"\n' \
        "$(sed 's/[\\"]/\\&/g' <<<"$admin_password")") \
        --protocol=socket -uroot --socket="$socket" "$@"
}

run_sql() {
    as_admin "$client" --comments ${DATABASE:+--database="$DATABASE"}
}
# Names that scripts written for the official images may use.
docker_process_sql() {
    [ "${1:-}" != --dont-use-mysql-root-password ] || shift
    as_admin "$client" --comments "$@"
}

first_sql() {
    if [ -n "$RANDOM_ROOT_PASSWORD" ]; then
        ROOT_PASSWORD=$(tr -dc 'A-Za-z0-9' </dev/urandom | head -c 32 || true)
        note "GENERATED ROOT PASSWORD: $ROOT_PASSWORD" >&2
    fi
    [ -z "$DATABASE" ] ||
        printf 'CREATE DATABASE IF NOT EXISTS `%s`;\n' "${DATABASE//\`/\`\`}"
    if [ "${ROOT_HOST:-%}" != localhost ]; then
        user_sql root "${ROOT_HOST:-%}" "$ROOT_PASSWORD"
        printf 'GRANT ALL ON *.* TO root@%s WITH GRANT OPTION;\n' \
            "$(quoted "${ROOT_HOST:-%}")"
    fi
    if [ -n "$USER" ]; then
        user_sql "$USER" % "$PASSWORD"
        # In a database's name of a GRANT, _ and % are wildcards.
        [ -z "$DATABASE" ] || printf 'GRANT ALL ON `%s`.* TO %s@%s;\n' \
            "$(sed 's/`/``/g; s/[_%]/\\&/g' <<<"$DATABASE")" \
            "$(quoted "$USER")" "'%'"
    fi
    printf "ALTER USER root@localhost IDENTIFIED BY %s;\n" "$(quoted "$ROOT_PASSWORD")"
}

# Without TCP: nobody outside takes this server for the real one.
start_temporary() {
    local tries

    "$@" --skip-networking --socket="$socket" --default-time-zone=SYSTEM \
        "${temporary_options[@]}" >&2 &
    server_pid=$!
    for ((tries = 0; tries < 600; tries++)); do
        if [ -S "$socket" ] && as_admin "$client" -e 'SELECT 1' >/dev/null 2>&1; then
            return
        fi
        kill -0 $server_pid 2>/dev/null || fail "the server ended at its first start"
        sleep 0.1
    done
    fail "the server does not answer"
}

init_databases() {
    admin_password=
    note "Starting temporary server"
    start_temporary "$@"
    if [ -z "$INITDB_SKIP_TZINFO" ]; then
        "$tzinfo" /usr/share/zoneinfo 2>/dev/null | as_admin "$client" --database=mysql
    fi
    # In one go: after its last line root has another password.
    first_sql >"$datadir/.cvx-first.sql"
    as_admin "$client" --binary-mode <"$datadir/.cvx-first.sql"
    rm -f "$datadir/.cvx-first.sql"
    admin_password=$ROOT_PASSWORD
    run_init_files
    note "Stopping temporary server"
    as_admin "$admin" shutdown
    wait $server_pid
    note "init process done. Ready for start up."
}

sql_server_main() {
    case ${1:-} in
    -*) set -- "$server" "$@" ;;
    mysqld | mariadbd) set -- "$server" "${@:2}" ;;
    esac
    if [ "$1" = "$server" ] && ! wants_help "$@"; then
        datadir=$(option datadir /var/lib/mysql "${@:2}")
        socket=$(option socket "$socket" "${@:2}")
        if [ "$(id -u)" = 0 ]; then
            own mysql "$datadir" "$(dirname "$socket")"
            exec gosu mysql "$0" "$@"
        fi
        if [ ! -d "$datadir/mysql" ]; then
            check_settings
            note "Initializing database files"
            make_data "${@:2}"
            init_databases "$@"
        fi
    fi
    exec "$@"
}
