"""How far a disease has gone, in grades: parts for tlx, of a project of its own. ``parts.py`` is what tlx imports."""
