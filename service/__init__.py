"""The server: REST API, review pages, jobs, database, keys and the command line. The only part with state."""
