"""What `tracker …` can do: one module a command, each thin over the part that does the work."""
