"""Before the app starts: its TLS key, decrypted in memory only."""
