"""Read from and write to the bucket: keys, presigned URLs, streaming reads and multipart writes."""
