"""The language model: loaded or built, read, asked, and carried as weights or adapters."""
