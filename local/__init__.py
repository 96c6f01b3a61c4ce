"""The laptop runtime: AWS's part in the service, on one machine and no account. Never deployed."""
