"""Stand in for AWS: API Gateway, Lambda, S3 with its notifications, and EventBridge."""
