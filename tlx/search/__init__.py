"""Search over settings: Optuna proposes, trials are ordinary ones, and what is known is never lost."""
