# Remuda on Postgres: a VPC of its own without a way to the internet, an RDS instance, an RDS Proxy before it, and the functions
# inside. No password is anywhere: RDS makes and turns over its own, the proxy alone reads it, and the functions sign tokens.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { Application = "remuda" }
  }
}

module "remuda" {
  source = "../.."

  name    = var.name
  store   = "postgres"
  package = var.package
  alarms  = { topic_arn = var.alarm_topic_arn }

  postgres = {
    host              = aws_db_proxy.this.endpoint
    database          = aws_db_instance.this.db_name
    user              = aws_db_instance.this.username
    resource_id       = element(split(":", aws_db_proxy.this.arn), 6)
    vpc_id            = aws_vpc.this.id
    subnet_ids        = values(aws_subnet.private)[*].id
    security_group_id = aws_security_group.proxy.id
    instance_id       = aws_db_instance.this.identifier
    endpoints         = var.endpoints
  }
}

output "url" {
  description = "Where clients and robots find Remuda."
  value       = module.remuda.url
}

output "migrate_command" {
  description = "Makes the schema, or brings it up to date."
  value       = module.remuda.migrate_command
}

output "first_key_command" {
  description = "Makes the first admin key and shows it this once."
  value       = module.remuda.first_key_command
}

output "store" {
  description = "The store's address, for `remuda store copy` from inside the VPC. There is no password in it."
  value       = module.remuda.store
}
