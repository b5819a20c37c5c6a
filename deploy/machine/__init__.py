"""Install, compare, converge and rebuild machines; make media, cloud files and virtual machines."""
