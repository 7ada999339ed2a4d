"""Onboarding as values: what each step says, and when a machine is ready."""
