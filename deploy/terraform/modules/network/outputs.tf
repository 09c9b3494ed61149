output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "public_subnets" {
  description = "Subnets of the load balancer."
  value       = aws_subnet.public[*].id
}

output "private_subnets" {
  description = "Subnets of everything else."
  value       = aws_subnet.private[*].id
}

output "private_route_tables" {
  description = "Where a route to peered brokers goes."
  value       = aws_route_table.private[*].id
}

output "nat_addresses" {
  description = "Public addresses from which brokers and Snowflake are reached, for their lists of allowed ones."
  value       = aws_eip.nat[*].public_ip
}
