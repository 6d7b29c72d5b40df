"""A person plays any domain against any agent, in the browser."""
