"""Read a finished dataset for training: in any order, by any number of readers, from any sample on."""
