"""Run the service on one machine without an AWS account. Never deployed."""
