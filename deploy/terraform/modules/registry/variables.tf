variable "name" {
  description = "Name of the repository."
  type        = string
}

variable "key_arn" {
  description = "Key for the encryption of images."
  type        = string
}

variable "keep_images" {
  description = "Number of images that are kept for rollbacks."
  type        = number
}
