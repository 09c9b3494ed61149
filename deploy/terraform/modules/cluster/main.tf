# The cluster, the DNS names of its services, and the scheduler's file system.

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

# race.NAME.internal and so on: one address per task, for Prometheus.
resource "aws_service_discovery_private_dns_namespace" "this" {
  name = "${var.name}.internal"
  vpc  = var.vpc_id
}

# Members of this group may read metrics: services accept connections from it.
resource "aws_security_group" "metrics" {
  #checkov:skip=CKV2_AWS_5: it is for a Prometheus that is not part of this
  name        = "${var.name}-metrics"
  description = "May read metrics"
  vpc_id      = var.vpc_id
}

resource "aws_efs_file_system" "home" {
  encrypted  = true
  kms_key_id = var.key_arn
  tags       = { Name = "${var.name}-schedule" }

  lifecycle_policy {
    transition_to_ia = "AFTER_30_DAYS"
  }
}

resource "aws_efs_backup_policy" "home" {
  file_system_id = aws_efs_file_system.home.id

  backup_policy {
    status = "ENABLED"
  }
}

resource "aws_efs_access_point" "home" {
  file_system_id = aws_efs_file_system.home.id

  posix_user {
    uid = var.user
    gid = var.user
  }

  root_directory {
    path = "/schedule"

    creation_info {
      owner_uid   = var.user
      owner_gid   = var.user
      permissions = "0700"
    }
  }
}

resource "aws_security_group" "files" {
  name        = "${var.name}-files"
  description = "The file system of the scheduler"
  vpc_id      = var.vpc_id
}

resource "aws_efs_mount_target" "home" {
  count           = length(var.subnets)
  file_system_id  = aws_efs_file_system.home.id
  subnet_id       = var.subnets[count.index]
  security_groups = [aws_security_group.files.id]
}
