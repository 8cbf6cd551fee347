"""What people look at: pages and reports over a build, a dataset or an installation."""
