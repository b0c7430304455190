-- Whether this database was ever migrated.
SELECT to_regclass('threadline.migrations') IS NOT NULL
