"""Numbers with a birth certificate: each is a file that says how it came about (see README.md)."""
