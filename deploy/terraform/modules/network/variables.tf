variable "name" {
  description = "Name prefix of resources."
  type        = string
}

variable "cidr" {
  description = "Address range of the network."
  type        = string
}

variable "zones" {
  description = "Availability zones."
  type        = list(string)
}

variable "nat_gateways" {
  description = "Number of NAT gateways: 1, or one per zone."
  type        = number
}

variable "key_arn" {
  description = "Key of the log group."
  type        = string
}

variable "log_retention_days" {
  description = "Days that flow logs are kept."
  type        = number
}
