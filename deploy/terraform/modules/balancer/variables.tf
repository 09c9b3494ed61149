variable "name" {
  description = "Name prefix of resources."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnets" {
  description = "Public subnets."
  type        = list(string)
}

variable "allowed_cidrs" {
  description = "Networks that may open the page."
  type        = list(string)
}

variable "certificate_arn" {
  description = "Certificate of the page."
  type        = string
}

variable "port" {
  description = "Port of the page's tasks."
  type        = number
}

variable "access_logs_bucket" {
  description = "Bucket for access logs; empty: no access logs."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the load balancer is protected from deletion."
  type        = bool
}
