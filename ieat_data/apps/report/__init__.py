"""`ieat report`: what a build made, as pages: a folder that opens from disk, or the same served while a build runs."""
