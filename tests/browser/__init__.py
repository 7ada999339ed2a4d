"""The HTML report, looked at in a real browser."""
