output "address" {
  description = "Where the page's name points to."
  value       = aws_lb.this.dns_name
}

output "security_group" {
  description = "Group of the load balancer."
  value       = aws_security_group.this.id
}

output "target_group_arn" {
  description = "Where the page's tasks register."
  value       = aws_lb_target_group.web.arn
  depends_on  = [aws_lb_listener.https]
}
