output "page" {
  description = "Target of the CNAME of the page's name."
  value       = module.balancer.address
}

output "registry" {
  description = "URL to push images to."
  value       = module.registry.url
}

output "cluster" {
  description = "The cluster."
  value       = module.cluster.arn
}

output "secrets" {
  description = "Secrets that need a value before tasks can start."
  value       = module.secrets.arns
}

output "nat_addresses" {
  description = "Public addresses of connections to brokers and Snowflake."
  value       = module.network.nat_addresses
}

output "network" {
  description = "For peering with the brokers' network: this network, its private route tables, and the services' security groups."
  value = {
    vpc_id          = module.network.vpc_id
    route_tables    = module.network.private_route_tables
    security_groups = { for name, service in module.service : name => service.security_group }
  }
}

output "metrics" {
  description = "Addresses of the processes for a Prometheus in this network, and the security group that it needs."
  value = {
    targets = merge(
      { for name, port in local.ports : name => "${name}.${module.cluster.namespace}:${port}" },
      { live = "schedule.${module.cluster.namespace}:${local.live_port}" },
    )
    security_group = module.cluster.metrics_security_group
  }
}

output "log_groups" {
  description = "Log group of each process."
  value       = { for name, service in module.service : name => service.log_group }
}

output "snowflake_logins" {
  description = "User, role and warehouse of each process."
  value       = module.snowflake.logins
}
