-- Records that a migration was applied.
INSERT INTO threadline.migrations (name, checksum) VALUES (%(name)s, %(checksum)s)
