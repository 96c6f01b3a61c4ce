"""Read template.yaml."""
