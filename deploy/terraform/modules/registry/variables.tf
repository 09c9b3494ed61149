variable "name" {
  description = "Name of the repository."
  type        = string
}

variable "key_arn" {
  description = "Key that images are encrypted with."
  type        = string
}

variable "keep_images" {
  description = "How many images are kept: as far as one may go back."
  type        = number
}
