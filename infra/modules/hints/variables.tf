variable "name" {
  description = "The queue's name; its dead-letter queue has -dead after it."
  type        = string
}

variable "consumer_arn" {
  description = "The function that takes the hints."
  type        = string
}

variable "consumer_timeout" {
  description = "The timeout of that function in seconds, from which the visibility timeout is derived."
  type        = number
}

variable "consumer_concurrency" {
  description = "How many batches are handled at once at most, 2 to 1000."
  type        = number
}

variable "is_paused" {
  description = "Whether hints stay in the queue."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "A key of yours for the messages; null leaves them to a key of SQS."
  type        = string
  default     = null
}
