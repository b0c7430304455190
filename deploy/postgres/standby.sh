#!/bin/sh
# Runs a standby: copies the primary named by PGHOST at the first start, and then follows it. Needs PGPASSWORD, the password of
# the role `replicator`. Of its own synchronous_standby_names see docs/cluster.md.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  install -d -m 0700 "$PGDATA"
  find "$PGDATA" -mindepth 1 -delete  # what an interrupted copy left
  pg_basebackup --pgdata="$PGDATA" --wal-method=stream --checkpoint=fast --write-recovery-conf \
    --dbname="host=$PGHOST user=replicator application_name=standby"
fi
exec postgres -c synchronous_standby_names=
