# All modules and how they are connected. Every F1STREAM_* here is a setting (f1stream/settings.py).

locals {
  home         = "/var/lib/f1stream"
  ports        = { race = 6066, archive = 6067, schedule = 6068, web = 8000 }
  live_port    = 6069 # the live client's metrics, in the scheduler's task during a session
  broker_ports = distinct([for address in split(",", var.broker) : tonumber(split(":", address)[1])])

  settings = {
    HOME                           = local.home
    F1STREAM_HOME                  = local.home
    F1STREAM_LOG_FORMAT            = "json"
    F1STREAM_WEB_HOST              = "0.0.0.0" # within the task; security groups limit access
    F1STREAM_BROKER                = var.broker
    F1STREAM_BROKER_SECURITY       = "SASL_SSL"
    F1STREAM_BROKER_SASL_MECHANISM = var.broker_sasl_mechanism
    F1STREAM_BROKER_USER           = var.broker_user
    F1STREAM_TOPIC_PARTITIONS      = tostring(var.topic_partitions)
    F1STREAM_TOPIC_REPLICATION     = tostring(var.topic_replication)
  }

  snowflake = {
    for process in ["archive", "schedule"] : process => {
      F1STREAM_SNOWFLAKE_ACCOUNT   = "${var.snowflake_organization}-${var.snowflake_account}"
      F1STREAM_SNOWFLAKE_DATABASE  = var.snowflake_database
      F1STREAM_SNOWFLAKE_USER      = module.snowflake.logins[process].user
      F1STREAM_SNOWFLAKE_ROLE      = module.snowflake.logins[process].role
      F1STREAM_SNOWFLAKE_WAREHOUSE = module.snowflake.logins[process].warehouse
    }
  }

  # Settings of each process. Workers are replaced one by one; the old scheduler stops before the new one starts; during a
  # deployment there may be more page servers than usual.
  processes = {
    race = {
      environment = { F1STREAM_RACE_PORT = tostring(local.ports.race) }
      secrets     = {}
      rolling     = { minimum = floor(100 * (var.sizes.race.count - 1) / var.sizes.race.count), maximum = 100 }
    }
    archive = {
      environment = merge(local.snowflake.archive, {
        F1STREAM_ARCHIVE_PORT          = tostring(local.ports.archive)
        F1STREAM_ARCHIVE_FLUSH_SECONDS = tostring(var.archive_flush_seconds)
      })
      secrets = { F1STREAM_SNOWFLAKE_PRIVATE_KEY = "snowflake-key-archive" }
      rolling = { minimum = floor(100 * (var.sizes.archive.count - 1) / var.sizes.archive.count), maximum = 100 }
    }
    web = {
      environment = {
        F1STREAM_WEB_PORT  = tostring(local.ports.web)
        F1STREAM_WEB_HOSTS = join(",", concat(var.page_names, ["web.${var.name}.internal"])) # the latter for Prometheus
        # The load balancer sets the client's address and scheme; nothing else reaches the tasks.
        F1STREAM_WEB_TRUSTED_PROXIES = var.vpc_cidr
      }
      secrets = {}
      rolling = { minimum = 100, maximum = 200 }
    }
    schedule = {
      environment = merge(local.snowflake.schedule, {
        F1STREAM_SCHEDULE_PORT = tostring(local.ports.schedule)
        F1STREAM_DBT_TARGET    = "prod"
      })
      secrets = merge(
        { F1STREAM_SNOWFLAKE_PRIVATE_KEY = "snowflake-key-schedule" },
        var.f1tv_token ? { F1STREAM_F1TV_TOKEN = "f1tv-token" } : {},
      )
      rolling = { minimum = 0, maximum = 100 }
    }
  }
}

module "secrets" {
  source = "./modules/secrets"
  name   = var.name
  secrets = merge(
    {
      broker-password        = "Password of the brokers' user."
      snowflake-key-archive  = "Private key of the Snowflake user that output snowflake_logins tells for archive (PEM, PKCS 8, without passphrase)."
      snowflake-key-schedule = "Private key of the Snowflake user that output snowflake_logins tells for schedule (PEM, PKCS 8, without passphrase)."
    },
    var.f1tv_token ? { f1tv-token = "Token of an F1TV subscription." } : {},
  )
}

module "network" {
  source             = "./modules/network"
  name               = var.name
  cidr               = var.vpc_cidr
  zones              = var.zones
  nat_gateways       = var.nat_gateways
  key_arn            = module.secrets.key_arn
  log_retention_days = var.log_retention_days
}

module "registry" {
  source      = "./modules/registry"
  name        = var.name
  key_arn     = module.secrets.key_arn
  keep_images = var.keep_images
}

module "cluster" {
  source  = "./modules/cluster"
  name    = var.name
  vpc_id  = module.network.vpc_id
  subnets = module.network.private_subnets
  key_arn = module.secrets.key_arn
  user    = var.container_user
}

module "balancer" {
  source              = "./modules/balancer"
  name                = var.name
  vpc_id              = module.network.vpc_id
  subnets             = module.network.public_subnets
  allowed_cidrs       = var.allowed_cidrs
  certificate_arn     = var.certificate_arn
  port                = local.ports.web
  access_logs_bucket  = var.access_logs_bucket
  deletion_protection = var.deletion_protection
}

module "service" {
  source           = "./modules/service"
  for_each         = local.processes
  name             = each.key
  environment_name = var.name
  size             = var.sizes[each.key]
  running          = var.running
  rolling          = each.value.rolling
  port             = local.ports[each.key]
  metrics_ports    = concat([local.ports[each.key]], each.key == "schedule" ? [local.live_port] : [])
  home             = local.home
  environment      = merge(local.settings, each.value.environment)
  secrets = {
    for setting, name in merge({ F1STREAM_BROKER_PASSWORD = "broker-password" }, each.value.secrets) :
    setting => module.secrets.arns[name]
  }
  files = each.key == "schedule" ? module.cluster.files : null
  balancer = each.key == "web" ? {
    target_group_arn = module.balancer.target_group_arn
    security_group   = module.balancer.security_group
  } : null
  image = {
    url            = "${module.registry.url}:${var.image_tag}"
    repository_arn = module.registry.arn
  }
  cluster = {
    arn                    = module.cluster.arn
    namespace_id           = module.cluster.namespace_id
    metrics_security_group = module.cluster.metrics_security_group
  }
  network            = { vpc_id = module.network.vpc_id, subnets = module.network.private_subnets }
  broker_ports       = local.broker_ports
  broker_cidrs       = var.broker_cidrs
  key_arn            = module.secrets.key_arn
  log_retention_days = var.log_retention_days
}

module "snowflake" {
  source = "./modules/snowflake"
  providers = {
    snowflake.objects  = snowflake.objects
    snowflake.security = snowflake.security
    snowflake.account  = snowflake.account
  }
  database             = var.snowflake_database
  prefix               = var.snowflake_prefix
  warehouse_size       = var.snowflake_warehouse_size
  monthly_credits      = var.snowflake_monthly_credits
  retention_days       = var.snowflake_retention_days
  pull_request_schemas = var.snowflake_pull_request_schemas
  public_keys          = var.snowflake_public_keys
}
