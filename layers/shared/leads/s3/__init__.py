"""The bucket: its keys, its presigned URLs, streaming reads and multipart writes."""
