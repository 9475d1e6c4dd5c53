# Remuda on DynamoDB and SQS: no VPC, no server, nothing that runs while nothing happens.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

variable "region" {
  description = "Where everything is made."
  type        = string
  default     = "eu-central-1"
}

variable "package" {
  description = "The folder that `cargo xtask package --store sqs` wrote."
  type        = string
  default     = "../../../target/package"
}

variable "alarm_topic_arn" {
  description = "An SNS topic that the alarms tell; null only shows them."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted."
  type        = bool
  default     = true
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { Application = "remuda" }
  }
}

module "remuda" {
  source = "../.."

  store               = "sqs"
  package             = var.package
  deletion_protection = var.deletion_protection
  alarms              = { topic_arn = var.alarm_topic_arn }
}

output "url" {
  description = "Where clients and robots find Remuda."
  value       = module.remuda.url
}

output "migrate_command" {
  description = "Looks whether the table is as it should be."
  value       = module.remuda.migrate_command
}

output "first_key_command" {
  description = "Makes the first admin key and shows it this once."
  value       = module.remuda.first_key_command
}

output "store" {
  description = "The store's address, for `remuda store copy`."
  value       = module.remuda.store
}
