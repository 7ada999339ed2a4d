"""Alignment: what each worker of the recorded fleet would have to change."""
