# One machine at Hetzner, written by `fab cloud`, which replaces this file: put changes beside it.
# Address and zone are not destroyed by mistake; a changed machine spec does not replace the machine.

terraform {
  required_providers {
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = "~> 1.60"
    }
  }
}

provider "hcloud" {
  token = var.hcloud_token
}

variable "hcloud_token" {
  type        = string
  sensitive   = true
  description = "the provider's API token"
}

variable "region" {
  type        = string
  description = "where the machine stands, such as fsn1"
  default     = "fsn1"
}

variable "plan" {
  type        = string
  description = "its size"
  default     = "cx23"
}

variable "image" {
  type        = string
  description = "the number of the snapshot that you made of Fedora CoreOS's hetzner image"
}

variable "domain" {
  type        = string
  description = "the DNS zone to make; none if empty"
  default     = "@DOMAIN@"
}

resource "hcloud_primary_ip" "@LABEL@" {
  name              = "@LABEL@"
  type              = "ipv4"
  location          = var.region
  assignee_type     = "server"
  auto_delete       = false
  delete_protection = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "hcloud_server" "@LABEL@" {
  name        = "@HOSTNAME@"
  server_type = var.plan
  image       = var.image
  location    = var.region
  user_data   = @USER_DATA@

  public_net {
    ipv4_enabled = true
    ipv4         = hcloud_primary_ip.@LABEL@.id
    ipv6_enabled = true
  }

  lifecycle {
    ignore_changes = [user_data]
  }
}

resource "hcloud_zone" "zone" {
  count             = var.domain == "" ? 0 : 1
  name              = var.domain
  mode              = "primary"
  delete_protection = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "hcloud_zone_rrset" "name" {
  for_each = toset([
    "@RECORD@",
  ])
  zone    = hcloud_zone.zone[0].name
  name    = each.key
  type    = "A"
  ttl     = 300
  records = [{ value = hcloud_primary_ip.@LABEL@.ip_address }]
}

output "address" {
  value = hcloud_primary_ip.@LABEL@.ip_address
}
