output "log_group" {
  description = "Log group of the service."
  value       = aws_cloudwatch_log_group.this.name
}

output "security_group" {
  description = "Security group of the service, for brokers in a peered network."
  value       = aws_security_group.this.id
}
