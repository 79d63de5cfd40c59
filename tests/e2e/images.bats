#!/usr/bin/env bats
# The stand-in images keep the contract of the official ones.
bats_require_minimum_version 1.5.0
load ../support/engine

setup_file() { engine_use; }
teardown() { engine_clean; }

need() { image_there "$1" || skip "$1 is not built: its official image is there"; }

# stops_cleanly ID: a stop ends it with status 0, long before the kill.
stops_cleanly() {
    local begun=$SECONDS

    api POST "/containers/$1/stop?t=30"
    [ "$(container_state "$1")" = "exited 0" ]
    [ $((SECONDS - begun)) -lt 15 ]
}

# first_process ID: name and uid of pid 1.
first_process() {
    container_exec "$1" sed -n 's/^Name:\s*//p; s/^Uid:\s*\([0-9]*\).*/\1/p' /proc/1/status |
        paste -sd' '
}

# declares IMAGE DIR PORT: the volume, the port, and who it stands in for.
declares() {
    api GET "/images/$1/json" | jq -e --arg dir "$2" --arg port "$3/tcp" \
        '.Config | (($dir == "" or .Volumes[$dir] == {}) and
         .ExposedPorts[$port] == {} and .Labels["cvx.kind"] == "standin" and
         (.Labels["cvx.standin"] | length > 0) and
         (.Labels["cvx.version"] | length > 0))'
}

# init_files ID PORT: a script that looks whether TCP answers, SQL, packed SQL,
# in the order of their names.
init_files() {
    local dir=$BATS_TEST_TMPDIR/init

    mkdir -p "$dir"
    cat >"$dir/1-look.sh" <<SH
for host in 127.0.0.1 \$(hostname -i); do
    if (echo >/dev/tcp/\$host/$2) 2>/dev/null; then echo tcp-is-open; fi
done
echo looked-for-tcp
SH
    echo "CREATE TABLE steps (name VARCHAR(20));" >"$dir/2-table.sql"
    echo "INSERT INTO steps VALUES ('packed');" | gzip >"$dir/3-row.sql.gz"
    printf '#!/bin/sh\necho executed as $(id -un)\n' >"$dir/4-run.sh"
    chmod 755 "$dir/4-run.sh"
    container_put "$1" /docker-entrypoint-initdb.d "$dir"/*
}

init_files_were_run() {
    local log

    log=$(container_logs "$1")
    grep -q looked-for-tcp <<<"$log"
    run ! grep tcp-is-open <<<"$log"
    grep -q "executed as $2" <<<"$log"
}

# secret ID TEXT: puts /secret into the container.
secret() {
    printf '%s' "$2" >"$BATS_TEST_TMPDIR/secret"
    chmod 644 "$BATS_TEST_TMPDIR/secret"
    container_put "$1" / "$BATS_TEST_TMPDIR/secret"
}

# ---- postgres ---------------------------------------------------------------

# pg ID PASSWORD SQL: as app, over TCP.
pg() {
    container_exec "$1" env PGPASSWORD="$2" PGCONNECT_TIMEOUT=3 psql -XAtq \
        -h "$(container_ip "$1")" -U app "${4:-app}" -c "$3"
}

@test "postgres makes its user and database, runs the init files without TCP, takes arguments" {
    need cvx/postgres:17
    declares cvx/postgres:17 /var/lib/postgresql/data 5432
    id=$(container_create cvx/postgres:17 '{"Cmd":["-c","max_connections=17"],
        "Env":["POSTGRES_USER=app","POSTGRES_PASSWORD=it'\''s \"x\"","POSTGRES_DB=shop",
               "POSTGRES_INITDB_ARGS=--data-checksums --auth-local=trust"]}')
    init_files "$id" 5432
    container_start "$id"
    wait_for 30 port_open "$(container_ip "$id")" 5432
    wait_for 10 pg "$id" "it's \"x\"" "SELECT 1" shop
    [ "$(pg "$id" "it's \"x\"" "SELECT name FROM steps" shop)" = packed ]
    [ "$(pg "$id" "it's \"x\"" "SHOW max_connections" shop)" = 17 ]
    [ "$(pg "$id" "it's \"x\"" "SHOW data_checksums" shop)" = on ]
    [ "$(pg "$id" "it's \"x\"" "SELECT rolsuper FROM pg_roles WHERE rolname = 'app'" shop)" = t ]
    [ "$(pg "$id" "it's \"x\"" "SELECT datcollate FROM pg_database WHERE datname = 'shop'" shop)" = en_US.utf8 ]
    run ! pg "$id" wrong "SELECT 1" shop
    init_files_were_run "$id" postgres
    [ "$(first_process "$id")" = "postgres 999" ]
    stops_cleanly "$id"
}

@test "postgres reads _FILE variables, keeps its data in PGDATA, and initialises once" {
    need cvx/postgres:17
    id=$(container_create cvx/postgres:17 '{"Env":["POSTGRES_USER=app",
        "POSTGRES_PASSWORD_FILE=/secret","PGDATA=/cvx/data"]}')
    secret "$id" hush
    container_start "$id"
    wait_for 30 pg "$id" hush "CREATE TABLE kept (a int)"
    container_exec "$id" test -s /cvx/data/PG_VERSION
    stops_cleanly "$id"
    container_start "$id"
    wait_for 10 pg "$id" hush "SELECT * FROM kept"
    [ "$(container_logs "$id" | grep -c 'init process complete')" = 1 ]
}

@test "postgres stops cleanly although a client is connected" {
    need cvx/postgres:17
    id=$(container cvx/postgres:17 '{"Env":["POSTGRES_USER=app","POSTGRES_PASSWORD=x"]}')
    wait_for 30 pg "$id" x "SELECT 1"
    pg "$id" x "SELECT pg_sleep(60)" 3>&- &
    wait_for 5 eval "pg $id x \"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep%'\" | grep -q 2"
    stops_cleanly "$id"
    wait
}

@test "postgres without a password says what to set, and ends" {
    need cvx/postgres:17
    id=$(container cvx/postgres:17)
    [ "$(container_exits "$id" 10)" = 1 ]
    container_logs "$id" | grep -q POSTGRES_PASSWORD
}

@test "a variable and its _FILE twin together are refused" {
    need cvx/postgres:17
    id=$(container cvx/postgres:17 '{"Env":["POSTGRES_PASSWORD=a","POSTGRES_PASSWORD_FILE=/x"]}')
    [ "$(container_exits "$id" 10)" = 1 ]
    container_logs "$id" | grep -q exclusive
}

@test "a command that is not the server is run as it is" {
    need cvx/postgres:17
    id=$(container cvx/postgres:17 '{"Cmd":["sh","-c","id -u; exit 7"]}')
    [ "$(container_exits "$id" 10)" = 7 ]
    [ "$(container_logs "$id")" = 0 ]
}

@test "postgis has its extension in the new database" {
    need cvx/postgis:17-3.5
    id=$(container cvx/postgis:17-3.5 '{"Env":["POSTGRES_USER=app","POSTGRES_PASSWORD=x"]}')
    wait_for 60 pg "$id" x "SELECT 1"
    [[ "$(pg "$id" x "SELECT postgis_version()")" = 3.* ]]
    stops_cleanly "$id"
}

# ---- mysql and mariadb ------------------------------------------------------

# my CLIENT ID USER PASSWORD SQL [DATABASE]: over TCP.
my() {
    container_exec "$2" env MYSQL_PWD="$4" "$1" -h "$(container_ip "$2")" -u "$3" \
        --connect-timeout=3 -BN -e "$5" ${6:+"$6"}
}

makes_its_databases() {
    local image=$1 client=$2 prefix=$3 process=$4 pass="it's \"x\\y"

    need "$image"
    declares "$image" /var/lib/mysql 3306
    id=$(container_create "$image" "$(jq -cn --arg p "$prefix" --arg pass "$pass" \
        '{Cmd: ["--max-connections=17"], Env: ["\($p)_ROOT_PASSWORD=\($pass)",
          "\($p)_DATABASE=my_shop", "\($p)_USER=app", "\($p)_PASSWORD=\($pass)",
          "\($p)_INITDB_SKIP_TZINFO=1"]}')")
    init_files "$id" 3306
    container_start "$id"
    wait_for 60 my "$client" "$id" app "$pass" "SELECT 1"
    [ "$(my "$client" "$id" app "$pass" "SELECT name FROM steps" my_shop)" = packed ]
    [ "$(my "$client" "$id" app "$pass" "SELECT @@max_connections")" = 17 ]
    [ "$(my "$client" "$id" root "$pass" "SELECT user()" | cut -d@ -f1)" = root ]
    my "$client" "$id" root "$pass" "CREATE DATABASE another"
    run ! my "$client" "$id" app "$pass" "CREATE DATABASE myXshop"
    run ! my "$client" "$id" app wrong "SELECT 1"
    run ! my "$client" "$id" root "" "SELECT 1"
    run ! container_exec "$id" "$client" -u root -e "SELECT 1"
    init_files_were_run "$id" mysql
    [ "$(first_process "$id")" = "$process 999" ]
    stops_cleanly "$id"
}

reads_files_and_keeps_data() {
    local image=$1 client=$2 prefix=$3

    need "$image"
    id=$(container_create "$image" "$(jq -cn --arg p "$prefix" '{Cmd: ["--datadir=/cvx/data"],
        Env: ["\($p)_ROOT_PASSWORD_FILE=/secret"]}')")
    secret "$id" hush
    container_start "$id"
    wait_for 60 my "$client" "$id" root hush "SELECT 1"
    my "$client" "$id" root hush "CREATE DATABASE kept"
    # The time zones are loaded unless that is skipped.
    [ "$(my "$client" "$id" root hush \
        "SELECT CONVERT_TZ('2026-01-01', 'UTC', 'Europe/Madrid') IS NOT NULL")" = 1 ]
    container_exec "$id" test -d /cvx/data/mysql
    run ! container_exec "$id" test -d /var/lib/mysql/mysql
    stops_cleanly "$id"
    container_start "$id"
    wait_for 20 my "$client" "$id" root hush "SELECT 1" kept
    [ "$(container_logs "$id" | grep -c 'init process done')" = 1 ]
}

says_what_is_missing() {
    need "$1"
    id=$(container "$1")
    [ "$(container_exits "$id" 10)" = 1 ]
    container_logs "$id" | grep -q "$2"
}

@test "mysql makes its users and database, runs the init files without TCP, takes arguments" {
    makes_its_databases cvx/mysql:9.7 mysql MYSQL mysqld
}
@test "mysql reads _FILE variables, keeps its data in --datadir, and initialises once" {
    reads_files_and_keeps_data cvx/mysql:9.7 mysql MYSQL
}
@test "mysql without a password says what to set, and ends" {
    says_what_is_missing cvx/mysql:9.7 MYSQL_ROOT_PASSWORD
}
@test "mariadb makes its users and database, runs the init files without TCP, takes arguments" {
    makes_its_databases cvx/mariadb:11.8 mariadb MARIADB mariadbd
}
@test "mariadb obeys the variables of mysql as well" {
    reads_files_and_keeps_data cvx/mariadb:11.8 mariadb MYSQL
}
@test "mariadb without a password says what to set, and ends" {
    says_what_is_missing cvx/mariadb:11.8 MARIADB_ROOT_PASSWORD
}

# ---- redis, valkey, memcached -----------------------------------------------

serves_redis() {
    local image=$1 process=$2 ip

    need "$image"
    declares "$image" /data 6379
    id=$(container "$image")
    ip=$(container_ip "$id")
    wait_for 10 port_open "$ip" 6379
    [ "$(ask "$ip" 6379 "SET word kept")" = +OK ]
    [ "$(first_process "$id")" = "$process 999" ]
    stops_cleanly "$id"
    container_start "$id"
    ip=$(container_ip "$id")
    wait_for 10 port_open "$ip" 6379
    [ "$(ask "$ip" 6379 "EXISTS word")" = :1 ]
    id=$(container "$image" '{"Cmd":["--requirepass","hush"]}')
    ip=$(container_ip "$id")
    wait_for 10 port_open "$ip" 6379
    [[ "$(ask "$ip" 6379 PING)" = -NOAUTH* ]]
}

@test "redis answers other hosts, keeps its data over a stop, takes arguments" {
    serves_redis cvx/redis:8.0 redis-server
}
@test "valkey answers other hosts, keeps its data over a stop, takes arguments" {
    serves_redis cvx/valkey:8.1 valkey-server
}
@test "memcached answers other hosts, takes arguments, stops cleanly" {
    need cvx/memcached:1.6
    declares cvx/memcached:1.6 "" 11211
    id=$(container cvx/memcached:1.6 '{"Cmd":["-p","11300","-m","10"]}')
    ip=$(container_ip "$id")
    wait_for 10 port_open "$ip" 11300
    [[ "$(ask "$ip" 11300 version)" = "VERSION 1.6."* ]]
    [[ "$(first_process "$id")" = memcached* ]]
    [ "$(first_process "$id")" != "memcached 0" ]
    stops_cleanly "$id"
}

# ---- the scripts --------------------------------------------------------------

@test "build.sh --if-needed builds nothing when all is there" {
    run "$ROOT/images/build.sh" --if-needed
    [ "$status" -eq 0 ]
    [ "$output" = "" ]
}

@test "a build that fails says why, and the image stays what it was" {
    need cvx/redis:8.0
    before=$(api GET /images/cvx/redis:8.0/json | jq -r .Id)
    cp -r "$ROOT/images" "$BATS_TEST_TMPDIR/"
    # Before all else: an engine without a build cache may have no way to Debian.
    sed -i '/^FROM/a RUN echo about to fail; exit 3' "$BATS_TEST_TMPDIR/images/redis/Dockerfile"
    run "$BATS_TEST_TMPDIR/images/build.sh" redis
    [ "$status" -eq 1 ]
    [[ "$output" = *"about to fail"* ]]
    [[ "$output" = *"non-zero code: 3"* ]]
    [[ "$output" = *"ERROR: image cvx/redis:8.0 was not built"* ]]
    [ "$(api GET /images/cvx/redis:8.0/json | jq -r .Id)" = "$before" ]
}

@test "engine.sh prints what DOCKER_HOST, a context or a socket leads to" {
    [ "$(env -u DOCKER_CONTEXT "$ROOT/images/engine.sh" --find)" = "$DOCKER_HOST" ]
    meta=$BATS_TEST_TMPDIR/contexts/meta/abc
    mkdir -p "$meta"
    printf '{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"%s"}}}' \
        "$DOCKER_HOST" >"$meta/meta.json"
    echo '{"currentContext": "far"}' >"$BATS_TEST_TMPDIR/config.json"
    run env -u DOCKER_HOST DOCKER_CONFIG="$BATS_TEST_TMPDIR" "$ROOT/images/engine.sh" --find
    [ "$output" = "$DOCKER_HOST" ]
}

@test "engine.sh starts nothing in place of a DOCKER_HOST that does not answer" {
    run env DOCKER_HOST=unix:///nowhere.sock "$ROOT/images/engine.sh"
    [ "$status" -eq 1 ]
    [ "$output" = "ERROR: no engine answers at unix:///nowhere.sock (DOCKER_HOST)" ]
}
