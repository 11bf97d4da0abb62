"""A trained model for other programs: as an MLflow model that can be served, and as ONNX or torch.export."""
