variable "name" {
  description = "The name of the group of schedules, and what the names of their roles begin with."
  type        = string
}

variable "functions" {
  description = "The functions to call each minute, by name, with their ARNs and those of the queues that take ticks which could not be given."
  type = map(object({
    arn             = string
    dead_letter_arn = string
  }))
}

variable "account" {
  description = "The account, the only one whose schedules may take on the roles."
  type        = string
}

variable "is_paused" {
  description = "Whether nothing ticks."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "The key of those queues if it is one of yours."
  type        = string
  default     = null
}
