"""Hold one module per operation, named as its function; export_file is shared by two of them."""
