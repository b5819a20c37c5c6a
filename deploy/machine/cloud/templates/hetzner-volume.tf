# The data of the machine, written by `fab cloud`, which replaces this file: put changes beside it. The
# volume stays when the machine is made again, and is not destroyed by mistake.

variable "volume_gigabytes" {
  type        = string
  description = "its size"
  default     = "10"
}

resource "hcloud_volume" "@LABEL@" {
  name              = "@LABEL@"
  location          = var.region
  size              = var.volume_gigabytes
  delete_protection = true

  lifecycle {
    prevent_destroy = true
  }
}

resource "hcloud_volume_attachment" "@LABEL@" {
  volume_id = hcloud_volume.@LABEL@.id
  server_id = hcloud_server.@LABEL@.id
}
