"""Server-rendered pages: templates, static files, forms, cookies, and errors that people can read."""
