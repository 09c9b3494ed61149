variable "name" {
  description = "Name prefix of resources."
  type        = string
}

variable "secrets" {
  description = "Secrets by name, with their descriptions."
  type        = map(string)
}
