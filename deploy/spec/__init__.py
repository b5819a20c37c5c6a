"""Make the files of a machine and its apps from settings, templates and overlays."""
