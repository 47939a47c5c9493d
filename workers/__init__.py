"""Whatever touches a model, a device, pixels or vectors."""
