variable "name" {
  description = "The function's name in AWS."
  type        = string
}

variable "description" {
  description = "What the function does, in a sentence."
  type        = string
}

variable "architecture" {
  description = "The processor that the program was built for: arm64 or x86_64."
  type        = string
}

variable "file" {
  description = "Path of the zip with the program."
  type        = string
}

variable "source_code_hash" {
  description = "Base64 of the zip's SHA-256, by which a new program is noticed."
  type        = string
}

variable "memory_mb" {
  description = "Memory, and with it a share of processor."
  type        = number
}

variable "timeout" {
  description = "Seconds after which a call is cut off."
  type        = number
}

variable "reserved_concurrency" {
  description = "How many of its calls run at once at most, and are always free to run; null reserves and limits nothing."
  type        = number
  default     = null
}

variable "environment" {
  description = "Variables of the program's environment. Never a secret: whoever may read the function's settings reads them."
  type        = map(string)
}

variable "statements" {
  description = "What the function may do beyond writing its log and its traces: each statement with the reason for it."
  type = list(object({
    sid       = string
    why       = string
    actions   = list(string)
    resources = list(string)
    effect    = optional(string, "Allow")
    condition = optional(map(map(list(string))))
  }))
  default = []
}

variable "is_scheduled" {
  description = "Whether it is called by a schedule, so that nobody waits for an answer: what it fails at goes to a queue."
  type        = bool
  default     = false
}

variable "network" {
  description = "Subnets and security groups to run in; null runs it outside of any VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "tracing" {
  description = "Whether X-Ray records traces of its calls."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "How long its log is kept."
  type        = number
}

variable "kms_key_arn" {
  description = "A key of yours for the log and the environment; null leaves both to keys of AWS."
  type        = string
  default     = null
}

variable "place" {
  description = "Where it runs. ARNs are made from it, so that a plan shows policies whole."
  type = object({
    partition = string
    region    = string
    account   = string
  })
}
