"""The tests: cases are files, workers are real."""
