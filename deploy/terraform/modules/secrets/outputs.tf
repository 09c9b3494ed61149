output "key_arn" {
  description = "The environment's key."
  value       = aws_kms_key.this.arn
}

output "arns" {
  description = "Secrets by name."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}
