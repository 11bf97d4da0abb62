"""Planning: what a trial would do, and what it costs, without its weights and its data."""
