"""The content of user data and the values of the Terraform templates."""
