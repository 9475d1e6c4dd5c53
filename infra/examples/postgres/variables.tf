variable "name" {
  description = "What everything is called."
  type        = string
  default     = "remuda"
}

variable "region" {
  description = "Where everything is made."
  type        = string
  default     = "eu-central-1"
}

variable "package" {
  description = "The folder that `cargo xtask package --store postgres` wrote."
  type        = string
  default     = "../../../target/package"
}

variable "alarm_topic_arn" {
  description = "An SNS topic that the alarms tell; null only shows them."
  type        = string
  default     = null
}

variable "network" {
  description = "The VPC's addresses, and the availability zones in which it has a subnet, by their letters."
  type = object({
    cidr  = optional(string, "10.90.0.0/20")
    zones = optional(list(string), ["a", "b"])
  })
  default = {}

  validation {
    condition     = can(cidrsubnet(var.network.cidr, 4, 0))
    error_message = "network.cidr is a range of addresses with room for sixteen subnets, like 10.90.0.0/20."
  }

  validation {
    condition     = length(distinct(var.network.zones)) >= 2 && alltrue([for zone in var.network.zones : can(regex("^[a-z]$", zone))])
    error_message = "network.zones names at least two zones by their letters, like [\"a\", \"b\"]: RDS wants two."
  }
}

variable "database" {
  description = "The instance: its class and version, storage in GB that grows up to a maximum, days of backups, and whether a second one stands by in another zone (at twice the price)."
  type = object({
    class          = optional(string, "db.t4g.small")
    version        = optional(string, "17")
    storage_gb     = optional(number, 20)
    storage_gb_max = optional(number, 100)
    backup_days    = optional(number, 14)
    multi_az       = optional(bool, false)
  })
  default = {}

  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "database.backup_days is 1 to 35: without backups there is no point in time to go back to."
  }

  validation {
    condition     = var.database.storage_gb >= 20 && var.database.storage_gb_max > var.database.storage_gb
    error_message = "database.storage_gb is at least 20, and storage_gb_max above it."
  }
}

variable "endpoints" {
  description = "Interface endpoints to make, like [\"xray\"]. None is needed: the functions call no AWS API on Postgres."
  type        = set(string)
  default     = []
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted. Off, it also goes without a last snapshot."
  type        = bool
  default     = true
}
