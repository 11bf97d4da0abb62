"""Backbones: load pretrained weights, report what was loaded, cut the network into stages."""
