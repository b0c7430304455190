#!/bin/sh
# Makes the two roles that log in, when the image of PostgreSQL makes the database: the owner of the schema, and the service.
# `threadline migrate` makes the rest. Needs OWNER_PASSWORD and SERVICE_PASSWORD.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
  --set=owner="$OWNER_PASSWORD" --set=service="$SERVICE_PASSWORD" --set=database="$POSTGRES_DB" <<'SQL'
CREATE ROLE threadline_owner LOGIN CREATEROLE PASSWORD :'owner';
CREATE ROLE threadline_service LOGIN PASSWORD :'service';
ALTER DATABASE :"database" OWNER TO threadline_owner;
SQL
