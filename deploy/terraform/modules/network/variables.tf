variable "name" {
  description = "What resources are called."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network."
  type        = string
}

variable "zones" {
  description = "Availability zones."
  type        = list(string)
}

variable "nat_gateways" {
  description = "How many NAT gateways there are: 1, or one for each zone."
  type        = number
}

variable "key_arn" {
  description = "Key of the log group."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which flow logs are kept."
  type        = number
}
