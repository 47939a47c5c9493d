"""The vocabulary that the API and the workers agree on."""
