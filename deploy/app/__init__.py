"""One app on one node: plan, deploy, roll back, and look at it."""
