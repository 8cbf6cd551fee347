"""Tables of a user's own: CSV, TSV, JSON lines and Parquet, with columns of any names."""
