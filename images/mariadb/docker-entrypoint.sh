#!/bin/bash
# Entrypoint of the stand-in for the official mariadb image.
. /usr/local/lib/cvx/entrypoint.sh
. /usr/local/lib/cvx/sql-server.sh

server=mariadbd client=mariadb admin=mariadb-admin tzinfo=mariadb-tzinfo-to-sql
prefixes="MYSQL MARIADB"
temporary_options=(--skip-log-bin --skip-slave-start)

make_data() {
    mariadb-install-db --datadir="$datadir" --rpm --skip-test-db \
        --auth-root-authentication-method=normal --skip-name-resolve \
        --skip-log-bin "$@" >/dev/null
}

user_sql() {
    printf 'CREATE USER %s@%s IDENTIFIED BY %s;\n' \
        "$(quoted "$1")" "$(quoted "$2")" "$(quoted "$3")"
}

sql_server_main "$@"
