"""The shipped experiments and studies (installed as ``tlx.experiments``)."""
