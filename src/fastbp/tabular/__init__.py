"""Tables: reading files, what every column is, and models that take a table as it is."""
