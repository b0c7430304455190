#!/bin/sh
# Lets a standby copy the primary, when the image of PostgreSQL makes the database. Needs REPLICATION_PASSWORD. The setting holds
# from the next start on: while the database is made there is no standby, for which each commit would wait.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" --set=password="$REPLICATION_PASSWORD" <<'SQL'
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'password';
ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (standby)';
SQL
echo "host replication replicator all scram-sha-256" >> "$PGDATA/pg_hba.conf"
