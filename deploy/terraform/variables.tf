variable "name" {
  description = "Name of the environment, and prefix of all resource names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}[a-z0-9]$", var.name))
    error_message = "The name has 3 to 22 lower-case letters, digits and hyphens, as f1stream-staging."
  }
}

variable "region" {
  description = "AWS region; Snowflake's account should be in the same one."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Give a region such as us-east-1."
  }
}

variable "vpc_cidr" {
  description = "Address range of the network; must not overlap with a network that it is peered with."
  type        = string
  default     = "10.64.0.0/20"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]) <= 22, false)
    error_message = "Give a block of /22 or larger, as 10.64.0.0/20."
  }
}

variable "zones" {
  description = "Availability zones, such as us-east-1a: two or three."
  type        = list(string)

  validation {
    condition     = contains([2, 3], length(distinct(var.zones)))
    error_message = "The load balancer needs 2 zones; more than 3 have no benefit."
  }
}

variable "nat_gateways" {
  description = "NAT gateways: 1, or one per zone, so that the loss of one zone does not disconnect the others."
  type        = number
  default     = 1

  validation {
    condition     = var.nat_gateways == 1 || var.nat_gateways == length(var.zones)
    error_message = "Either one NAT gateway, or one for each zone."
  }
}

variable "allowed_cidrs" {
  description = "Networks that may open the page. No default: opening it to everybody must be explicit."
  type        = list(string)

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Give at least one block of IPv4 addresses, as 203.0.113.0/24."
  }
}

variable "certificate_arn" {
  description = "Certificate (ACM, same region) for the page's names."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:", var.certificate_arn))
    error_message = "Give the ARN of a certificate in ACM."
  }
}

variable "page_names" {
  description = "Names of the page, as in the certificate; requests for other names are rejected."
  type        = list(string)

  validation {
    condition     = length(var.page_names) > 0 && alltrue([for name in var.page_names : can(regex("^[A-Za-z0-9.-]+$", name))])
    error_message = "Give at least one name without scheme or port, as pit-wall.example."
  }
}

variable "access_logs_bucket" {
  description = "Bucket for the load balancer's access logs; empty: no access logs."
  type        = string
  default     = ""

  validation {
    condition     = var.access_logs_bucket == "" || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.access_logs_bucket))
    error_message = "Give the name of a bucket, not its ARN."
  }
}

variable "deletion_protection" {
  description = "Whether the load balancer is protected from deletion."
  type        = bool
  default     = true

  validation {
    condition     = var.deletion_protection != null
    error_message = "Either true or false."
  }
}

variable "image_tag" {
  description = "Tag of the image to run. Tags are immutable: a new image needs a new one, such as its commit."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "Give the tag of one image, such as a commit's hash; latest is not allowed."
  }
}

variable "keep_images" {
  description = "Number of images that the registry keeps for rollbacks."
  type        = number
  default     = 20

  validation {
    condition     = var.keep_images >= 2
    error_message = "Keep at least 2 images: the running one and the previous one."
  }
}

variable "container_user" {
  description = "User and group id of the image's processes."
  type        = number
  default     = 10001

  validation {
    condition     = var.container_user > 0
    error_message = "Must not be root (0)."
  }
}

variable "running" {
  description = "Whether the services' tasks run: false until secrets, topics, tables and an image exist."
  type        = bool
  default     = true

  validation {
    condition     = var.running != null
    error_message = "Either true or false."
  }
}

variable "sizes" {
  description = "Number of tasks of race, archive and web (schedule has one), and their CPU units (1024 are one core) and memory in MiB."
  type = map(object({
    count  = number
    cpu    = number
    memory = number
  }))
  default = {
    race     = { count = 2, cpu = 1024, memory = 2048 }
    archive  = { count = 2, cpu = 512, memory = 2048 }
    web      = { count = 2, cpu = 512, memory = 2048 }
    schedule = { count = 1, cpu = 512, memory = 2048 }
  }

  validation {
    condition     = toset(keys(var.sizes)) == toset(["race", "archive", "web", "schedule"])
    error_message = "Give race, archive, web and schedule."
  }

  validation {
    condition     = alltrue([for name, size in var.sizes : name == "schedule" ? size.count == 1 : size.count >= 2])
    error_message = "schedule needs exactly 1 task, the others at least 2, so that they can be replaced one by one."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400], var.log_retention_days)
    error_message = "CloudWatch takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 or 400 days."
  }
}

variable "broker" {
  description = "Kafka's bootstrap addresses, as in F1STREAM_BROKER: Confluent Cloud's, or MSK's for SASL/SCRAM (port 9096)."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9.-]+:[0-9]+(,[A-Za-z0-9.-]+:[0-9]+)*$", var.broker))
    error_message = "Give host:port,host:port."
  }
}

variable "broker_cidrs" {
  description = "Networks of the brokers; tasks may connect only to these, at the brokers' ports: MSK's subnets, those of a PrivateLink, or 0.0.0.0/0 for a public cluster of Confluent Cloud, whose addresses are not fixed."
  type        = list(string)

  validation {
    condition     = length(var.broker_cidrs) > 0 && alltrue([for cidr in var.broker_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Give at least one block of IPv4 addresses."
  }
}

variable "broker_sasl_mechanism" {
  description = "As in F1STREAM_BROKER_SASL_MECHANISM: PLAIN for Confluent Cloud, SCRAM-SHA-512 for MSK. Always over TLS."
  type        = string
  default     = "PLAIN"

  validation {
    condition     = contains(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], var.broker_sasl_mechanism)
    error_message = "One of PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512."
  }
}

variable "broker_user" {
  description = "Kafka user, or Confluent Cloud's API key; its password is secret broker-password."
  type        = string

  validation {
    condition     = var.broker_user != ""
    error_message = "Kafka needs a user."
  }
}

variable "topic_partitions" {
  description = "Number of partitions that every topic was created with."
  type        = number
  default     = 24

  validation {
    condition     = var.topic_partitions >= 1
    error_message = "At least 1."
  }
}

variable "topic_replication" {
  description = "Replication factor of every topic."
  type        = number
  default     = 3

  validation {
    condition     = var.topic_replication >= 1
    error_message = "At least 1; 3 to tolerate the loss of a broker."
  }
}

variable "archive_flush_seconds" {
  description = "Age in seconds of the oldest buffered row that triggers a flush; with 600 Snowflake's warehouse is suspended most of the time."
  type        = number
  default     = 600

  validation {
    condition     = var.archive_flush_seconds >= 1
    error_message = "At least 1 second."
  }
}

variable "f1tv_token" {
  description = "Whether the live client uses secret f1tv-token, which then needs a value."
  type        = bool
  default     = false

  validation {
    condition     = var.f1tv_token != null
    error_message = "Either true or false."
  }
}

variable "snowflake_organization" {
  description = "Snowflake's organization."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9]+$", var.snowflake_organization))
    error_message = "The part of the account identifier before the hyphen."
  }
}

variable "snowflake_account" {
  description = "Account within the organization."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_]*$", var.snowflake_account))
    error_message = "The part of the account identifier after the hyphen."
  }
}

variable "snowflake_database" {
  description = "Name of the database, as in F1STREAM_SNOWFLAKE_DATABASE."
  type        = string
  default     = "F1STREAM"

  validation {
    condition     = can(regex("^[A-Z_][A-Z0-9_]*$", var.snowflake_database))
    error_message = "Upper-case letters, digits and underscores."
  }
}

variable "snowflake_prefix" {
  description = "Prefix of roles, warehouses and users, such as STAGING_ for a second environment in the same account."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([A-Z][A-Z0-9]*_)?$", var.snowflake_prefix))
    error_message = "Empty, or upper-case letters and digits with an underscore at the end."
  }
}

variable "snowflake_warehouse_size" {
  description = "Size of the warehouses."
  type        = string
  default     = "XSMALL"

  validation {
    condition     = contains(["XSMALL", "SMALL", "MEDIUM", "LARGE"], var.snowflake_warehouse_size)
    error_message = "One of XSMALL, SMALL, MEDIUM and LARGE."
  }
}

variable "snowflake_monthly_credits" {
  description = "Monthly credits after which the warehouses are suspended."
  type        = number
  default     = 60

  validation {
    condition     = var.snowflake_monthly_credits >= 1
    error_message = "At least 1."
  }
}

variable "snowflake_retention_days" {
  description = "Days of time travel; more than 1 needs the Enterprise edition."
  type        = number
  default     = 1

  validation {
    condition     = var.snowflake_retention_days >= 0 && var.snowflake_retention_days <= 90
    error_message = "Between 0 and 90."
  }
}

variable "snowflake_pull_request_schemas" {
  description = "Whether TRANSFORMER may create schemas: true for staging, where releases build in PREPROD and pull requests in PR_<number>, with a user that is created if it has a key; false for production."
  type        = bool
  default     = false

  validation {
    condition     = var.snowflake_pull_request_schemas != null
    error_message = "Either true or false."
  }
}

variable "snowflake_public_keys" {
  description = "Public keys of the service users, without PEM's first and last line; *_next are the new ones during a rotation."
  type = object({
    archive       = string
    archive_next  = optional(string, "")
    schedule      = string
    schedule_next = optional(string, "")
    pull_requests = optional(string, "")
    reader        = optional(string, "")
  })

  validation {
    condition     = var.snowflake_public_keys.archive != "" && var.snowflake_public_keys.schedule != ""
    error_message = "The archive workers and the scheduler need a key each."
  }

  validation {
    condition     = alltrue([for key in values(var.snowflake_public_keys) : !strcontains(key, "-----")])
    error_message = "Omit PEM's first and last line, and never give a private key."
  }
}
