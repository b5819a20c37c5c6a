# One machine at DigitalOcean, written by `fab cloud`, which replaces this file: put changes beside
# it. Address and zone are not destroyed by mistake; a changed machine spec does not replace the
# machine.

terraform {
  required_providers {
    digitalocean = {
      source  = "digitalocean/digitalocean"
      version = "~> 2.70"
    }
  }
}

provider "digitalocean" {
  token = var.digitalocean_token
}

variable "digitalocean_token" {
  type        = string
  sensitive   = true
  description = "the provider's API token"
}

variable "region" {
  type        = string
  description = "where the machine stands, such as fra1"
  default     = "fra1"
}

variable "plan" {
  type        = string
  description = "its size"
  default     = "s-1vcpu-2gb"
}

variable "image_url" {
  type        = string
  description = "where DigitalOcean can fetch Fedora CoreOS's digitalocean image (.gz)"
}

variable "ssh_key" {
  type        = string
  description = "a public SSH key; DigitalOcean wants one for a custom image"
}

variable "domain" {
  type        = string
  description = "the DNS zone to make; none if empty"
  default     = "@DOMAIN@"
}

resource "digitalocean_custom_image" "coreos" {
  name         = "fedora-coreos"
  url          = var.image_url
  distribution = "Fedora"
  regions      = [var.region]
}

resource "digitalocean_ssh_key" "@LABEL@" {
  name       = "@LABEL@"
  public_key = var.ssh_key
}

resource "digitalocean_reserved_ip" "@LABEL@" {
  region = var.region

  lifecycle {
    prevent_destroy = true
  }
}

resource "digitalocean_droplet" "@LABEL@" {
  name   = "@HOSTNAME@"
  region = var.region
  size   = var.plan
  image  = digitalocean_custom_image.coreos.image_id
  # A custom image can be started only with a key; Ignition brings the real ones.
  ssh_keys  = [digitalocean_ssh_key.@LABEL@.fingerprint]
  user_data = @USER_DATA@

  lifecycle {
    ignore_changes = [user_data]
  }
}

resource "digitalocean_reserved_ip_assignment" "@LABEL@" {
  ip_address = digitalocean_reserved_ip.@LABEL@.ip_address
  droplet_id = digitalocean_droplet.@LABEL@.id
}

resource "digitalocean_domain" "zone" {
  count = var.domain == "" ? 0 : 1
  name  = var.domain

  lifecycle {
    prevent_destroy = true
  }
}

resource "digitalocean_record" "name" {
  for_each = toset([
    "@RECORD@",
  ])
  domain = digitalocean_domain.zone[0].id
  name   = each.key
  type   = "A"
  value  = digitalocean_reserved_ip.@LABEL@.ip_address
  ttl    = 300
}

output "address" {
  value = digitalocean_reserved_ip.@LABEL@.ip_address
}
