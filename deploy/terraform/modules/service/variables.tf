variable "name" {
  description = "Name of the service: its command, too."
  type        = string
}

variable "environment_name" {
  description = "What resources are called before the service's name."
  type        = string
}

variable "cluster" {
  description = "Cluster, its namespace and the group of whoever reads metrics."
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
  description = "Image, and the repository it is in."
  type = object({
    url            = string
    repository_arn = string
  })
}

variable "size" {
  description = "Number of tasks, and each one's processor units (1024 make a core) and memory in MiB."
  type = object({
    count  = number
    cpu    = number
    memory = number
  })
}

variable "running" {
  description = "Whether tasks run at all."
  type        = bool
}

variable "rolling" {
  description = "What share of the tasks (%) stays while they are replaced, and up to what share there may be."
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
  description = "Ports that whoever reads metrics may reach."
  type        = list(number)
}

variable "environment" {
  description = "Settings that are not secret."
  type        = map(string)
}

variable "secrets" {
  description = "Secrets' ARNs by setting."
  type        = map(string)
}

variable "home" {
  description = "Folder that may be written."
  type        = string
}

variable "files" {
  description = "File system of that folder; without one it is gone when the task ends."
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
  description = "Target group and security group of the load balancer in front; none but the page has one."
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
  description = "Days for which logs are kept."
  type        = number
}
