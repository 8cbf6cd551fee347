"""Pages and reports for people, about a build, a dataset or an installation."""
