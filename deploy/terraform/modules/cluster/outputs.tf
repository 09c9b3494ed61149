output "arn" {
  description = "The cluster."
  value       = aws_ecs_cluster.this.arn
}

output "namespace_id" {
  description = "Service discovery namespace."
  value       = aws_service_discovery_private_dns_namespace.this.id
}

output "namespace" {
  description = "DNS domain of the services."
  value       = aws_service_discovery_private_dns_namespace.this.name
}

output "metrics_security_group" {
  description = "Security group that may read metrics."
  value       = aws_security_group.metrics.id
}

output "files" {
  description = "The scheduler's file system, in the form of a service's mount."
  value = {
    id               = aws_efs_file_system.home.id
    arn              = aws_efs_file_system.home.arn
    access_point     = aws_efs_access_point.home.id
    access_point_arn = aws_efs_access_point.home.arn
    security_group   = aws_security_group.files.id
  }
  depends_on = [aws_efs_mount_target.home]
}
