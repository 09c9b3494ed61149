terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  # Which bucket, key and region: `terraform init -backend-config=production.s3.tfbackend` (README.md).
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }

  # Ranges, not versions: no registry of providers was in reach here. `terraform init` writes .terraform.lock.hcl with the
  # versions it takes and their hashes; commit it. Resources are as the providers' documentation has them, of 6.x and 2.14.
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
    snowflake = {
      source  = "snowflakedb/snowflake"
      version = "~> 2.14"
    }
  }
}
