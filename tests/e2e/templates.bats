# Databases that start from a template: whose data it is, and when it is not used.

bats_require_minimum_version 1.5.0
load ../support/engine
load ../support/cvx

setup_file() { engine_use; }
setup() { TEMPLATES_MB=4096 rack_up; }
teardown() {
    "$CVX" templates prune >/dev/null || true
    wait_for 5 rack_is_empty || true # the guard of what was made goes behind it
    rack_down
}

with_db() { # TYPE
    app tpl <<YML
resources:
  db: {type: $1}
services:
  web:
    image: $WEB_IMAGE
    command: |
      $(web_command)
    port: 3000
    resources: [db]
YML
}

psql_in() { # CONTAINER SQL
    container_exec "$1" psql -h 127.0.0.1 -U app -Atc "$2" app
}

db_image() { api GET "/containers/$(containers_of resource db)/json" | jq -r .Config.Image; }

templates() { "$CVX" templates --json | jq "$@"; }
has_templates() { [ "$(templates length)" = "$1" ]; }

@test "the second start of a postgres comes from a template made behind the first" {
    with_db postgres
    start_json
    wait_event ready
    [[ $(db_image) != cvx-template/* ]]
    wait_for 30 has_templates 1
    templates -e '.[0] | .kind == "postgres" and .size > 1000000 and (.stale | not)'
    stop_json INT
    start_json
    wait_event ready
    [[ $(db_image) == cvx-template/postgres:* ]]
    [ "$(psql_in "$(containers_of resource db)" "show fsync")" = off ]
    stop_json INT
    run -0 "$CVX" templates
    [[ $output == *"TEMPLATE "*"postgres:"*"1 template, "*" MB" ]]
}

@test "two sessions from one template do not see each other's data" {
    with_db postgres
    "$CVX" templates build
    "$CVX" start --detach
    first=$(containers_of resource db)
    psql_in "$first" "create table mine (a int)"
    mkdir ../second && cd ../second && cp ../tpl/convox.yml . && cp -r ../tpl/. .
    "$CVX" start --detach -a other
    second=$(containers_of resource db | grep -v "$first")
    [ -n "$second" ]
    [ "$(psql_in "$second" "select count(*) from pg_tables where tablename = 'mine'")" = 0 ]
    [ "$(psql_in "$first" "select count(*) from pg_tables where tablename = 'mine'")" = 1 ]
    "$CVX" stop -a other
    "$CVX" stop -a tpl
    start_json
    wait_event ready
    [ "$(psql_in "$(containers_of resource db)" "select count(*) from pg_tables where tablename = 'mine'")" = 0 ]
    stop_json INT
}

@test "data survives a restart of the container within a session" {
    with_db postgres
    "$CVX" templates build
    "$CVX" start --detach
    db=$(containers_of resource db)
    psql_in "$db" "create table mine (a int)"
    psql_in "$db" "checkpoint" # without fsync only this is sure to be written
    api POST "/containers/$db/kill" >/dev/null
    wait_for 20 psql_in "$db" "select * from mine"
    "$CVX" stop
}

@test "a template made with one password is not used with another" {
    with_db postgres
    "$CVX" templates build
    "$CVX" rackd stop
    printf '0123456789abcdef0123456789abcd' >"$RACK_HOME/state/cvx/local/password"
    start_json
    wait_event ready
    [[ $(db_image) != cvx-template/* ]]
    url=$(event ready | jq -r '.resources[0].url')
    [[ $url == *:0123456789abcdef0123456789abcd@* ]]
    db=$(containers_of resource db)
    container_exec "$db" psql "postgres://app:0123456789abcdef0123456789abcd@resource-db:5432/app" -Atc "select 1" | grep -x 1
    stop_json INT
}

@test "mysql and mariadb come from templates, with app's rights" {
    app both <<YML
resources:
  my: {type: mysql}
  ma: {type: mariadb}
services:
  web: {image: $WEB_IMAGE, command: "sleep 1000", init: true, resources: [my, ma]}
YML
    run -0 "$CVX" templates build
    [[ $output == *"my: made mysql:"* && $output == *"ma: made mariadb:"* ]]
    "$CVX" start --detach
    for name in my ma; do
        id=$(containers_of resource $name)
        [[ $(api GET "/containers/$id/json" | jq -r .Config.Image) == cvx-template/m* ]]
        container_exec "$id" sh -c 'exec $(command -v mariadb || command -v mysql) "$@" -p"$MYSQL_PASSWORD$MARIADB_PASSWORD"' \
            -- -h 127.0.0.1 -u app -NBe "create database t2; create table t2.a (b int); insert into t2.a values (7);
            select * from t2.a" | grep -x 7
    done
    "$CVX" stop
    run -0 "$CVX" templates build
    [[ $output == *"my: there is mysql:"* ]]
}

@test "a template that does not work is left for the image, and removed" {
    with_db postgres
    "$CVX" templates build
    name=$(templates -r '.[0].name')
    api POST "/images/$(jq -rn --arg n "$WEB_IMAGE" '$n')/tag?repo=${name%:*}&tag=${name##*:}" >/dev/null
    start_json
    wait_event ready
    grep '"type":"warning"' "$events" | grep -q 'its template does not work'
    [[ $(db_image) != cvx-template/* ]]
    stop_json INT
}

@test "no more disk than the bound: the one not used for longest goes" {
    with_db postgres
    "$CVX" rackd stop
    "$CVX" templates build
    sleep 1.1 # when a template was last used is kept in whole seconds
    CVX_TEMPLATES_MB=60 "$CVX" rackd stop
    first=$(CVX_TEMPLATES_MB=60 "$CVX" templates --json | jq -r '.[0].name')
    sed -i 's/db:/db2:/; s/\[db\]/[db2]/' convox.yml
    printf '0123456789abcdef0123456789abcd' >"$RACK_HOME/state/cvx/local/password"
    "$CVX" rackd stop
    CVX_TEMPLATES_MB=60 "$CVX" templates build
    wait_for 10 has_templates 1
    [ "$(templates -r '.[0].name')" != "$first" ]
}

@test "switched off there are none" {
    with_db postgres
    "$CVX" rackd stop
    export CVX_TEMPLATES_MB=0
    run -1 "$CVX" templates build
    [[ $output == *"switched off"* ]]
    start_json
    wait_event ready
    [[ $(db_image) != cvx-template/* ]]
    stop_json INT
}

@test "a cvx killed while a template is made leaves neither container nor half a template" {
    with_db postgres
    start_json
    wait_event ready
    wait_for 10 eval 'rack_census | grep -q "container /tpl-t"'
    kill -9 "$(rackd_pid)"
    wait_for 5 rack_is_empty
    "$CVX" templates build
    has_templates 1
    templates -e '.[0].unfinished | not'
}
