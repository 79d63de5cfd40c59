#!/bin/bash
# Entrypoint of the stand-in for the official mysql image.
. /usr/local/lib/cvx/entrypoint.sh
. /usr/local/lib/cvx/sql-server.sh

server=mysqld client=mysql admin=mysqladmin tzinfo=mysql_tzinfo_to_sql
prefixes=MYSQL
# The X protocol's port would be open although TCP is off.
temporary_options=(--mysqlx=OFF)

make_data() {
    mysqld "$@" --initialize-insecure --default-time-zone=SYSTEM \
        --autocommit=1 >&2
}

user_sql() {
    printf 'CREATE USER %s@%s IDENTIFIED BY %s;\n' \
        "$(quoted "$1")" "$(quoted "$2")" "$(quoted "$3")"
}

sql_server_main "$@"
