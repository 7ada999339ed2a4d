"""The reports: goldens, hostile input, schemas, speed."""
