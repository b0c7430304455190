-- The names and checksums of the migrations that were applied.
SELECT name, checksum FROM threadline.migrations ORDER BY name
