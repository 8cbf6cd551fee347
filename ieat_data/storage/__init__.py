"""Tables of shards: commit, records, roll-up."""
