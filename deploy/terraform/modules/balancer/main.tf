resource "aws_security_group" "this" {
  name        = "${var.name}-balancer"
  description = "The load balancer of the page"
  vpc_id      = var.vpc_id
}

# Port 80 only redirects to 443.
resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each          = { for pair in setproduct([80, 443], var.allowed_cidrs) : "${pair[0]} ${pair[1]}" => pair }
  security_group_id = aws_security_group.this.id
  description       = "Who may open the page"
  ip_protocol       = "tcp"
  from_port         = each.value[0]
  to_port           = each.value[0]
  cidr_ipv4         = each.value[1]
}

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_28: the page only reads and is open to the given addresses; who opens it to all should add a WAF
  name                       = var.name
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = var.subnets
  security_groups            = [aws_security_group.this.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  # A paused viewer's websocket has no traffic except the server's ping, every 20 s.
  idle_timeout = 300

  dynamic "access_logs" {
    for_each = var.access_logs_bucket != "" ? [var.access_logs_bucket] : []

    content {
      bucket  = access_logs.value
      enabled = true
    }
  }
}

# Viewers reconnect and keep their position, so a task need not wait long for them.
resource "aws_lb_target_group" "web" {
  name                 = "${var.name}-web"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = var.port
  deregistration_delay = 30

  # Not /health: ECS also replaces a task that fails this check, see modules/service.
  health_check {
    path                = "/alive"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}

# Operators use these paths within the network. The health checks above do not pass through the listener.
resource "aws_lb_listener_rule" "inside" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }

  condition {
    path_pattern {
      values = ["/metrics", "/health", "/alive"]
    }
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}
