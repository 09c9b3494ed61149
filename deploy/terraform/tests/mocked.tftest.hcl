# `terraform test`: plans with mocked providers. Needs `terraform init -backend=false`, which downloads the providers.

mock_provider "aws" {}

mock_provider "snowflake" {
  alias = "objects"
}

mock_provider "snowflake" {
  alias = "security"
}

mock_provider "snowflake" {
  alias = "account"
}

variables {
  name                   = "f1stream-test"
  region                 = "us-east-1"
  zones                  = ["us-east-1a", "us-east-1b"]
  allowed_cidrs          = ["203.0.113.0/24"]
  certificate_arn        = "arn:aws:acm:us-east-1:123456789012:certificate/0"
  page_names             = ["pit-wall.example"]
  image_tag              = "0123abc"
  broker                 = "one.example:9092,two.example:9092,three.example:9096"
  broker_cidrs           = ["198.51.100.0/24"]
  broker_user            = "user"
  snowflake_organization = "ACME"
  snowflake_account      = "RACING"
  snowflake_prefix       = "TEST_"
  snowflake_public_keys  = { archive = "A", schedule = "B", pull_requests = "C" }
}

run "as_it_is" {
  command = plan

  assert {
    condition     = output.snowflake_logins.archive.role == "TEST_LOADER" && output.snowflake_logins.schedule.role == "TEST_TRANSFORMER"
    error_message = "The archive workers have LOADER; TRANSFORMER owns what the scheduler creates."
  }

  assert {
    condition     = toset(keys(output.snowflake_logins)) == toset(["archive", "schedule"])
    error_message = "Without their own schemas pull requests have no user."
  }

  assert {
    condition     = output.metrics.targets.race == "race.f1stream-test.internal:6066"
    error_message = "Prometheus finds the race workers by name."
  }

  assert {
    condition     = output.metrics.targets.live == "schedule.f1stream-test.internal:6069"
    error_message = "The live client runs in the scheduler's task."
  }
}

run "staging" {
  command = plan

  variables {
    snowflake_pull_request_schemas = true
    f1tv_token                     = true
    sizes = {
      race     = { count = 3, cpu = 1024, memory = 2048 }
      archive  = { count = 2, cpu = 512, memory = 2048 }
      web      = { count = 2, cpu = 512, memory = 2048 }
      schedule = { count = 1, cpu = 512, memory = 2048 }
    }
  }

  assert {
    condition     = output.snowflake_logins.pull_requests.role == "TEST_TRANSFORMER"
    error_message = "Pull requests build."
  }
}

run "refused" {
  command = plan

  variables {
    allowed_cidrs         = []
    image_tag             = "latest"
    broker                = "one.example"
    nat_gateways          = 3
    snowflake_public_keys = { archive = "-----BEGIN PUBLIC KEY-----", schedule = "B" }
    sizes = {
      race     = { count = 1, cpu = 1024, memory = 2048 }
      archive  = { count = 2, cpu = 512, memory = 2048 }
      web      = { count = 2, cpu = 512, memory = 2048 }
      schedule = { count = 1, cpu = 512, memory = 2048 }
    }
  }

  expect_failures = [
    var.allowed_cidrs, var.image_tag, var.broker, var.nat_gateways, var.snowflake_public_keys, var.sizes,
  ]
}
