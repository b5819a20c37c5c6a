# The data of the machine, written by `fab cloud`, which replaces this file: put changes beside it. The
# volume stays when the machine is made again, and is not destroyed by mistake.

variable "volume_gigabytes" {
  type        = string
  description = "its size"
  default     = "10"
}

resource "vultr_block_storage" "@LABEL@" {
  label                = "@LABEL@"
  region               = var.region
  size_gb              = var.volume_gigabytes
  attached_to_instance = vultr_instance.@LABEL@.id
  # Attached while the machine runs, which waits for it in its first boot.
  live = true

  lifecycle {
    prevent_destroy = true
  }
}
