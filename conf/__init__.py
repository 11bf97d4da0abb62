"""The shipped configuration groups (installed as ``tlx.conf``)."""
