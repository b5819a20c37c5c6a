# One machine at Vultr, written by `fab cloud`, which replaces this file: put changes beside it.
# Address and zone are not destroyed by mistake; a changed machine spec does not replace the machine.

terraform {
  required_providers {
    vultr = {
      source  = "vultr/vultr"
      version = "~> 2.28"
    }
  }
}

provider "vultr" {
  api_key = var.vultr_api_key
}

variable "vultr_api_key" {
  type        = string
  sensitive   = true
  description = "the provider's API token"
}

variable "region" {
  type        = string
  description = "where the machine stands, such as cdg"
  default     = "cdg"
}

variable "plan" {
  type        = string
  description = "its size"
  default     = "vc2-1c-2gb"
}

variable "os_id" {
  type        = string
  description = "Fedora CoreOS Stable in Vultr's list"
  default     = "391"
}

variable "snapshot_id" {
  type        = string
  description = "a newer Fedora CoreOS that you uploaded as a snapshot"
  default     = ""
}

variable "domain" {
  type        = string
  description = "the DNS zone to make; none if empty"
  default     = "@DOMAIN@"
}

resource "vultr_reserved_ip" "@LABEL@" {
  region  = var.region
  ip_type = "v4"
  label   = "@LABEL@"

  lifecycle {
    prevent_destroy = true
  }
}

resource "vultr_instance" "@LABEL@" {
  region = var.region
  plan   = var.plan
  # Vultr's own image is an old one: a snapshot wins where there is one.
  os_id          = var.snapshot_id == "" ? var.os_id : null
  snapshot_id    = var.snapshot_id == "" ? null : var.snapshot_id
  label          = "@LABEL@"
  hostname       = "@HOSTNAME@"
  reserved_ip_id = vultr_reserved_ip.@LABEL@.id
  user_data      = @USER_DATA@

  lifecycle {
    ignore_changes = [user_data]
  }
}

resource "vultr_dns_domain" "zone" {
  count  = var.domain == "" ? 0 : 1
  domain = var.domain

  lifecycle {
    prevent_destroy = true
  }
}

resource "vultr_dns_record" "name" {
  for_each = toset([
    "@RECORD@",
  ])
  domain = vultr_dns_domain.zone[0].domain
  name   = each.key == "@" ? "" : each.key
  type   = "A"
  data   = vultr_reserved_ip.@LABEL@.subnet
  ttl    = 300
}

output "address" {
  value = vultr_reserved_ip.@LABEL@.subnet
}
