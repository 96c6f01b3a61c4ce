"""SAM's own emulation of Lambda in Docker, working on the running local stack."""
