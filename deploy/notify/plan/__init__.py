"""What to tell, when, and in which form."""
