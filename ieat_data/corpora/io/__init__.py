"""How corpora are opened and read: roots (folder, S3, hub) and containers (tar, gzip, JSON, Parquet)."""
