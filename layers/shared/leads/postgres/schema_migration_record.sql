INSERT INTO schema_migration (version, name, checksum) VALUES (:version, :name, :checksum)
