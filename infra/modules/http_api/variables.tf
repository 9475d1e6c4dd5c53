variable "name" {
  description = "The API's name."
  type        = string
}

variable "routes" {
  description = "Which function serves what: the function's name by route key, like \"POST /v1/jobs\" or \"$default\"."
  type        = map(string)
}

variable "functions" {
  description = "The functions by name: what to call them by, and what to permit it to."
  type = map(object({
    name       = string
    invoke_arn = string
  }))
}

variable "throttling" {
  description = "Calls a second and in a burst that are let through: of the routes named in robot_routes, and of all others."
  type = object({
    rate        = number
    burst       = number
    robot_rate  = number
    robot_burst = number
  })
}

variable "robot_routes" {
  description = "The route keys that robots call, which have a throttle of their own."
  type        = set(string)
}

variable "cors" {
  description = "From which web pages it may be called; null: from none."
  type = object({
    origins         = list(string)
    max_age_seconds = number
  })
  default = null
}

variable "domain" {
  description = "A name of your own, its certificate in this region, and the Route 53 zone to put it into, if any; null leaves the API at its own address."
  type = object({
    name            = string
    certificate_arn = string
    zone_id         = optional(string)
  })
  default = null
}

variable "log_retention_days" {
  description = "How long the access log is kept."
  type        = number
}

variable "kms_key_arn" {
  description = "A key of yours for the access log; null leaves it to a key of CloudWatch."
  type        = string
  default     = null
}
