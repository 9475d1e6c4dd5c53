variable "name" {
  description = "The deployment's name: what the names of the alarms begin with, and the dimension of Remuda's metrics."
  type        = string
}

variable "region" {
  description = "The region that the dashboard shows."
  type        = string
}

variable "functions" {
  description = "The functions' names in AWS, by name."
  type        = map(string)
}

variable "api_id" {
  description = "The id of the HTTP API."
  type        = string
}

variable "dead_letter_queues" {
  description = "The names of the dead-letter queues by what they hold."
  type        = map(string)
}

variable "table" {
  description = "The table's name; null where the store is not DynamoDB."
  type        = string
  default     = null
}

variable "indexes" {
  description = "The names of the table's indexes."
  type        = set(string)
  default     = []
}

variable "database" {
  description = "The identifier of the RDS instance; null where there is none to watch."
  type        = string
  default     = null
}

variable "topic_arn" {
  description = "The SNS topic that is told; null only shows the alarms."
  type        = string
  default     = null
}

variable "thresholds" {
  description = "From where on an operator wants to be woken."
  type = object({
    oldest_ready_seconds    = number
    dead_letters            = number
    leases_lost             = number
    server_errors           = number
    database_cpu_percent    = number
    database_free_gigabytes = number
    database_connections    = number
  })
}
