"""`fab cert-status`: an app's certificates, SSH keys and credentials, and their problems."""
