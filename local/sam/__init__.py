"""Let SAM's emulation of Lambda in Docker use the running local stack."""
