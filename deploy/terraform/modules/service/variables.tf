variable "name" {
  description = "Name of the service, and its command."
  type        = string
}

variable "environment_name" {
  description = "Name prefix of resources, before the service's name."
  type        = string
}

variable "cluster" {
  description = "Cluster, its DNS namespace, and the security group that may read metrics."
  type = object({
    arn                    = string
    namespace_id           = string
    metrics_security_group = string
  })
}

variable "network" {
  description = "Network and private subnets."
  type = object({
    vpc_id  = string
    subnets = list(string)
  })
}

variable "image" {
  description = "Image, and its repository."
  type = object({
    url            = string
    repository_arn = string
  })
}

variable "size" {
  description = "Number of tasks, and CPU units (1024 are one core) and memory in MiB of each."
  type = object({
    count  = number
    cpu    = number
    memory = number
  })
}

variable "running" {
  description = "Whether any tasks run."
  type        = bool
}

variable "rolling" {
  description = "Minimum and maximum share of tasks (%) during a deployment."
  type = object({
    minimum = number
    maximum = number
  })
}

variable "port" {
  description = "Port of the page, or of health and metrics."
  type        = number
}

variable "metrics_ports" {
  description = "Ports open to the metrics group."
  type        = list(number)
}

variable "environment" {
  description = "Settings without secrets."
  type        = map(string)
}

variable "secrets" {
  description = "Secrets' ARNs by setting."
  type        = map(string)
}

variable "home" {
  description = "Writable folder."
  type        = string
}

variable "files" {
  description = "File system of that folder; without one its contents are deleted with the task."
  type = object({
    id               = string
    arn              = string
    access_point     = string
    access_point_arn = string
    security_group   = string
  })
  default = null
}

variable "balancer" {
  description = "Target group and security group of the load balancer; only the page has one."
  type = object({
    target_group_arn = string
    security_group   = string
  })
  default = null
}

variable "broker_ports" {
  description = "Ports of the brokers."
  type        = list(number)
}

variable "broker_cidrs" {
  description = "Addresses of the brokers."
  type        = list(string)
}

variable "key_arn" {
  description = "Key of secrets and logs."
  type        = string
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}
