terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  # Bucket, key and region: `terraform init -backend-config=production.s3.tfbackend` (README.md).
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }

  # Ranges, because no provider registry could be reached when this was written. `terraform init` writes .terraform.lock.hcl with
  # the selected versions and their hashes; commit it. Resources follow the documentation of 6.x and 2.14.
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
