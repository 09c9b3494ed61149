output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "public_subnets" {
  description = "Subnets of the load balancer."
  value       = aws_subnet.public[*].id
}

output "private_subnets" {
  description = "Subnets of everything except the load balancer."
  value       = aws_subnet.private[*].id
}

output "private_route_tables" {
  description = "Route tables for a route to peered brokers."
  value       = aws_route_table.private[*].id
}

output "nat_addresses" {
  description = "Public addresses of outgoing connections, for the allow lists of brokers and Snowflake."
  value       = aws_eip.nat[*].public_ip
}
