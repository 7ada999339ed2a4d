"""What a night of merges is as values: plans, order, forecast, reports."""
