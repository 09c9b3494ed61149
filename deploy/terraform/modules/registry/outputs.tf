output "url" {
  description = "Where images are pushed to."
  value       = aws_ecr_repository.image.repository_url
}

output "arn" {
  description = "The repository, for rights."
  value       = aws_ecr_repository.image.arn
}
