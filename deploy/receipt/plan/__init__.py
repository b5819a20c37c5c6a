"""What a receipt states, and what is wrong with a chain of them; without side effects."""
