"""`ieat report`: a build's results as pages: a folder to open from disk, or served live while the build runs."""
