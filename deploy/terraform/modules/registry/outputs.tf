output "url" {
  description = "URL to push images to."
  value       = aws_ecr_repository.image.repository_url
}

output "arn" {
  description = "ARN of the repository, for IAM policies."
  value       = aws_ecr_repository.image.arn
}
