variable "name" {
  description = "Name prefix of resources."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnets" {
  description = "Subnets with access to the scheduler's file system."
  type        = list(string)
}

variable "key_arn" {
  description = "Key for the encryption of the scheduler's files."
  type        = string
}

variable "user" {
  description = "User and group id of the image's processes, which own the files."
  type        = number
}
