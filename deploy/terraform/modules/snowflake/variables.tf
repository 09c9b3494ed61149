variable "database" {
  description = "Name of the database, as in F1STREAM_SNOWFLAKE_DATABASE."
  type        = string
}

variable "prefix" {
  description = "Prefix of roles, warehouses and users, which belong to the account: two environments may share it."
  type        = string
}

variable "warehouse_size" {
  description = "Size of the three warehouses."
  type        = string
}

variable "monthly_credits" {
  description = "Monthly credits after which the warehouses are suspended; a notification is sent at 80 %."
  type        = number
}

variable "retention_days" {
  description = "Days of time travel."
  type        = number
}

variable "pull_request_schemas" {
  description = "Whether TRANSFORMER may create schemas, as dbt does for its targets dev, pr and staging."
  type        = bool
}

variable "public_keys" {
  description = "Public keys of the service users, each without PEM's first and last line; users without a key are not created."
  type = object({
    archive       = string
    archive_next  = string
    schedule      = string
    schedule_next = string
    pull_requests = string
    reader        = string
  })
}
