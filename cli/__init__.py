"""The `clipline` command."""
