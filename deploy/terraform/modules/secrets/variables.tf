variable "name" {
  description = "What resources are called."
  type        = string
}

variable "secrets" {
  description = "Secrets by name, each with what it is for."
  type        = map(string)
}
