"""Whole plans: one folder a case, with the request, the fleet, and the plan as it must be."""
