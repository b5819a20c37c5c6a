"""Settings: read `.env` files and the environment, check them, report every problem at once."""
