"""Terraform and OpenTofu JSON, one provider a file; field names are the providers' own."""
