#!/bin/bash
# Makes the extensions in $POSTGRES_DB and in a template, template_postgis.
set -e
psql=(psql -v ON_ERROR_STOP=1 --no-psqlrc -q -U "$POSTGRES_USER")
"${psql[@]}" -d postgres -c \
    'CREATE DATABASE template_postgis IS_TEMPLATE true'
for db in template_postgis "$POSTGRES_DB"; do
    "${psql[@]}" -d "$db" <<'SQL'
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS postgis_topology;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;
CREATE EXTENSION IF NOT EXISTS postgis_tiger_geocoder;
SQL
done
