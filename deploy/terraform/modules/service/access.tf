# Network access and IAM rights of a service.

data "aws_caller_identity" "me" {}

resource "aws_security_group" "this" {
  name        = local.full_name
  description = "Service ${var.name}"
  vpc_id      = var.network.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "metrics" {
  for_each                     = { for port in var.metrics_ports : tostring(port) => port }
  security_group_id            = aws_security_group.this.id
  description                  = "Metrics"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  referenced_security_group_id = var.cluster.metrics_security_group
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  count                        = length(var.balancer[*])
  security_group_id            = aws_security_group.this.id
  description                  = "The load balancer"
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
  referenced_security_group_id = var.balancer.security_group
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  count                        = length(var.balancer[*])
  security_group_id            = var.balancer.security_group
  description                  = "Service ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port
  referenced_security_group_id = aws_security_group.this.id
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "Registry, logs, secrets, Snowflake, Jolpica and the live timing: all by HTTPS, none with fixed addresses"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "broker" {
  for_each          = { for pair in setproduct(var.broker_ports, var.broker_cidrs) : "${pair[0]} ${pair[1]}" => pair }
  security_group_id = aws_security_group.this.id
  description       = "Kafka"
  ip_protocol       = "tcp"
  from_port         = each.value[0]
  to_port           = each.value[0]
  cidr_ipv4         = each.value[1]
}

resource "aws_vpc_security_group_egress_rule" "files" {
  count                        = length(var.files[*])
  security_group_id            = aws_security_group.this.id
  description                  = "Files"
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  referenced_security_group_id = var.files.security_group
}

resource "aws_vpc_security_group_ingress_rule" "files" {
  count                        = length(var.files[*])
  security_group_id            = var.files.security_group
  description                  = "Service ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  referenced_security_group_id = aws_security_group.this.id
}

locals {
  assumed_by_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.me.account_id } }
    }]
  })
}

# Rights of ECS: pull this image, read this service's secrets, write to its log group.
resource "aws_iam_role" "execution" {
  name               = "${local.full_name}-execution"
  assume_role_policy = local.assumed_by_tasks
}

resource "aws_iam_role_policy" "execution" {
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*" # this action has no resource
      },
      {
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = var.image.repository_arn
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.this.arn}:*"
      },
      {
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = values(var.secrets)
      },
      {
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.key_arn
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${data.aws_region.here.region}.amazonaws.com" } }
      },
    ]
  })
}

# Rights of the process: none, except the scheduler's for its files.
resource "aws_iam_role" "task" {
  name               = "${local.full_name}-task"
  assume_role_policy = local.assumed_by_tasks
}

resource "aws_iam_role_policy" "files" {
  count = length(var.files[*])
  role  = aws_iam_role.task.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
      Resource  = var.files.arn
      Condition = { StringEquals = { "elasticfilesystem:AccessPointArn" = var.files.access_point_arn } }
    }]
  })
}

resource "aws_efs_file_system_policy" "files" {
  count          = length(var.files[*])
  file_system_id = var.files.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = aws_iam_role.task.arn }
      Action    = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
      Resource  = var.files.arn
      Condition = {
        Bool         = { "aws:SecureTransport" = "true" }
        StringEquals = { "elasticfilesystem:AccessPointArn" = var.files.access_point_arn }
      }
    }]
  })
}
