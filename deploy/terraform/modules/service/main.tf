# One process of the image as an ECS service on Fargate.

data "aws_region" "here" {}

locals {
  full_name = "${var.environment_name}-${var.name}"
  volumes   = { home = var.home, tmp = "/tmp" }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338: how long logs are kept is a variable; what is to be kept for years is in the warehouse
  name              = "/${var.environment_name}/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.key_arn
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.full_name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.size.cpu
  memory                   = var.size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64" # as built by the workflows
  }

  # The image declares both folders as volumes, so that its user owns them.
  volume {
    name = "tmp"
  }

  volume {
    name = "home"

    dynamic "efs_volume_configuration" {
      for_each = var.files[*]

      content {
        file_system_id     = efs_volume_configuration.value.id
        transit_encryption = "ENABLED"

        authorization_config {
          access_point_id = efs_volume_configuration.value.access_point
          iam             = "ENABLED"
        }
      }
    }
  }

  container_definitions = jsonencode([{
    name                   = var.name
    image                  = var.image.url
    command                = [var.name]
    essential              = true
    readonlyRootFilesystem = true
    privileged             = false
    # Longer than a flush and its commit; the maximum on Fargate.
    stopTimeout     = 120
    linuxParameters = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    portMappings    = [{ containerPort = var.port, protocol = "tcp" }]
    mountPoints     = [for name, path in local.volumes : { sourceVolume = name, containerPath = path, readOnly = false }]
    environment     = [for name, value in var.environment : { name = name, value = value }]
    secrets         = [for name, arn in var.secrets : { name = name, valueFrom = arn }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.here.region
        awslogs-stream-prefix = var.name
      }
    }
    # ECS replaces a task that fails this check. /health also fails while a task waits for the warehouse, the broker or partitions;
    # replacing it would not help, because a new task would wait as long.
    healthCheck = {
      command     = ["CMD", "python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:${var.port}/alive', timeout=4)"]
      interval    = 15
      timeout     = 5
      retries     = 4
      startPeriod = 300 # nothing answers before the broker does
    }
  }])
}

resource "aws_service_discovery_service" "this" {
  name = var.name

  dns_config {
    namespace_id   = var.cluster.namespace_id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 10
    }
  }

  health_check_custom_config {
    failure_threshold = 1
  }
}

resource "aws_ecs_service" "this" {
  name                               = var.name
  cluster                            = var.cluster.arn
  task_definition                    = aws_ecs_task_definition.this.arn
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  desired_count                      = var.running ? var.size.count : 0
  deployment_minimum_healthy_percent = var.rolling.minimum
  deployment_maximum_percent         = var.rolling.maximum
  health_check_grace_period_seconds  = var.balancer == null ? null : 60
  enable_execute_command             = false
  propagate_tags                     = "SERVICE"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.network.subnets
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = false
  }

  service_registries {
    registry_arn = aws_service_discovery_service.this.arn
  }

  dynamic "load_balancer" {
    for_each = var.balancer[*]

    content {
      target_group_arn = load_balancer.value.target_group_arn
      container_name   = var.name
      container_port   = var.port
    }
  }

  depends_on = [aws_iam_role_policy.execution, aws_iam_role_policy.files]
}
