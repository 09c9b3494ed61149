output "log_group" {
  description = "Where the service's logs are."
  value       = aws_cloudwatch_log_group.this.name
}

output "security_group" {
  description = "Group of the service, for brokers in a network of one's own."
  value       = aws_security_group.this.id
}
