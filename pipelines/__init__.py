"""What happens to a model pair: plan, export, verify, deploy, load, score, report."""
