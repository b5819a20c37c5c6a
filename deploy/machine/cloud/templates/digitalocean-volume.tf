# The data of the machine, written by `fab cloud`, which replaces this file: put changes beside it. The
# volume stays when the machine is made again, and is not destroyed by mistake.

variable "volume_gigabytes" {
  type        = string
  description = "its size"
  default     = "10"
}

resource "digitalocean_volume" "@LABEL@" {
  name   = "@LABEL@"
  region = var.region
  size   = var.volume_gigabytes

  lifecycle {
    prevent_destroy = true
  }
}

resource "digitalocean_volume_attachment" "@LABEL@" {
  volume_id  = digitalocean_volume.@LABEL@.id
  droplet_id = digitalocean_droplet.@LABEL@.id
}
