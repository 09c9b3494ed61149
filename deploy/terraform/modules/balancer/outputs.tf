output "address" {
  description = "DNS name of the load balancer."
  value       = aws_lb.this.dns_name
}

output "security_group" {
  description = "Security group of the load balancer."
  value       = aws_security_group.this.id
}

output "target_group_arn" {
  description = "Target group of the page's tasks."
  value       = aws_lb_target_group.web.arn
  depends_on  = [aws_lb_listener.https]
}
