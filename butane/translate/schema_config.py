"""The table of all fields, continued: users, units, the boot device, and the whole file."""
