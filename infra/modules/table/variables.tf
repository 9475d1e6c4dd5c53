variable "name" {
  description = "The table's name."
  type        = string
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted until this is off."
  type        = bool
}

variable "kms_key_arn" {
  description = "A key of yours; null leaves the table to a key that DynamoDB owns."
  type        = string
  default     = null
}
