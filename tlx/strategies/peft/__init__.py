"""Parameter-efficient fine-tuning: small modules and vectors that are trained in place of the network."""
