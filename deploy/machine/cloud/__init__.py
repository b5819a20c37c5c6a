"""Make the user data and the Terraform file that start a machine at a cloud provider."""
