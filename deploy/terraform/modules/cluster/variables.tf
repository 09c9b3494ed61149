variable "name" {
  description = "What resources are called."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnets" {
  description = "Subnets from which the scheduler's files are reached."
  type        = list(string)
}

variable "key_arn" {
  description = "Key of the scheduler's files."
  type        = string
}

variable "user" {
  description = "User and group id of the image's processes, to whom the files belong."
  type        = number
}
