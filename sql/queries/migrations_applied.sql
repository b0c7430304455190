-- The names and checksums of the applied migrations.
SELECT name, checksum FROM threadline.migrations ORDER BY name
