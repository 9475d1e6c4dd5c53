variable "name" {
  description = "What this deployment is called: everything in it bears the name, so several fit into one account. Roles know no region: use each name once in all of them."
  type        = string
  default     = "remuda"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name has 3 to 32 lower-case letters, digits and hyphens, begins with a letter and ends in no hyphen."
  }
}

variable "store" {
  description = "Where jobs are kept: \"sqs\" for DynamoDB with hints on SQS, or \"postgres\"."
  type        = string

  validation {
    condition     = contains(["sqs", "postgres"], var.store)
    error_message = "store is \"sqs\" or \"postgres\"."
  }
}

variable "package" {
  description = "The folder that `cargo xtask package` wrote: target/package in the repository."
  type        = string

  validation {
    condition     = fileexists("${var.package}/manifest.json")
    error_message = "There is no manifest.json in ${var.package}. Build the functions first: cargo xtask package --store ${var.store}"
  }

  validation {
    condition     = !fileexists("${var.package}/manifest.json") || try(jsondecode(file("${var.package}/manifest.json")).store, "") == var.store
    error_message = "The functions in ${var.package} were built for another store. Build them for this one: cargo xtask package --store ${var.store} --arch ${var.architecture}"
  }

  validation {
    condition     = !fileexists("${var.package}/manifest.json") || try(jsondecode(file("${var.package}/manifest.json")).architecture, "") == var.architecture
    error_message = "The functions in ${var.package} were built for another processor. Build them for this one: cargo xtask package --store ${var.store} --arch ${var.architecture}"
  }
}

variable "architecture" {
  description = "The processor that the functions were built for: \"arm64\", which costs less, or \"x86_64\"."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is \"arm64\" or \"x86_64\"."
  }
}

variable "postgres" {
  description = <<-TEXT
    The database, for store = "postgres": best an RDS Proxy that asks for IAM and TLS, as examples/postgres makes one.
    - host, port, database, user: where and as whom to connect. There is no password: each function signs a token.
    - resource_id: the id of the proxy (prx-…) or the instance (db-…) in ARNs, for which the token is signed.
    - vpc_id, subnet_ids: the network to run the functions in, at least two subnets.
    - security_group_id: of the proxy. A rule is added to it that lets the functions in.
    - instance_id: the RDS instance to watch; without it there are no alarms of the database.
    - endpoints: interface endpoints to make, like ["xray"]. The functions themselves call no AWS API on Postgres.
  TEXT
  type = object({
    host              = string
    port              = optional(number, 5432)
    database          = string
    user              = string
    resource_id       = string
    vpc_id            = string
    subnet_ids        = list(string)
    security_group_id = string
    instance_id       = optional(string)
    endpoints         = optional(set(string), [])
  })
  default = null

  validation {
    condition     = (var.store == "postgres") == (var.postgres != null)
    error_message = "postgres is set for store = \"postgres\", and only for it."
  }

  validation {
    condition     = var.postgres == null || try(length(var.postgres.subnet_ids) >= 2, false)
    error_message = "postgres.subnet_ids names at least two subnets, or one zone that fails takes everything with it."
  }

  validation {
    condition     = var.postgres == null || can(regex("^[A-Za-z_][A-Za-z0-9_]*$", var.postgres.user))
    error_message = "postgres.user is a plain name: letters, digits and underscores. A password has no place here."
  }

  validation {
    condition     = var.postgres == null || can(regex("^(prx|db|cluster)-[A-Za-z0-9]+$", var.postgres.resource_id))
    error_message = "postgres.resource_id is the id in ARNs: prx-… of a proxy, db-… of an instance, cluster-… of a cluster."
  }
}

variable "sizes" {
  description = <<-TEXT
    How large everything is.
    - memory_mb: of the functions, by name; those not named get 256 MB, and a share of processor with it.
    - dispatch_concurrency: batches of hints handled at once at most (2 to 1000).
    - sweep_concurrency: sweeps that may run at once, and for which the account's concurrency is reserved. One is enough, the second
      lets an operator's own through. Null reserves nothing: for accounts whose quota is so small that AWS allows none (new ones: 10).
    - backlog_max: ready jobs from which on submits are refused.
    - connections_max: connections to the store of one function's process.
    - idle_sync_seconds: when an idle robot with nothing in sight asks again (1 to 60): each time is a call that is paid for.
  TEXT
  type = object({
    memory_mb            = optional(map(number), {})
    dispatch_concurrency = optional(number, 5)
    sweep_concurrency    = optional(number, 2)
    backlog_max          = optional(number, 1000000)
    connections_max      = optional(number, 2)
    idle_sync_seconds    = optional(number, 30)
  })
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.sizes.memory_mb), ["submit", "dispatch", "timeout-sweep", "robot-callback", "control", "migrate"])) == 0
    error_message = "sizes.memory_mb names functions: submit, dispatch, timeout-sweep, robot-callback, control, migrate."
  }

  validation {
    condition     = alltrue([for megabytes in values(var.sizes.memory_mb) : megabytes >= 128 && megabytes <= 10240])
    error_message = "sizes.memory_mb is 128 to 10240 for each function."
  }

  validation {
    condition     = var.sizes.dispatch_concurrency >= 2 && var.sizes.dispatch_concurrency <= 1000
    error_message = "sizes.dispatch_concurrency is 2 to 1000: SQS knows nothing below."
  }

  validation {
    condition     = coalesce(var.sizes.sweep_concurrency, 1) >= 1
    error_message = "sizes.sweep_concurrency is at least 1, or null to reserve nothing: at 0 no timer would ever fire."
  }

  validation {
    condition     = var.sizes.backlog_max >= 1
    error_message = "sizes.backlog_max is at least 1."
  }

  validation {
    condition     = var.sizes.connections_max >= 1 && var.sizes.connections_max <= 200
    error_message = "sizes.connections_max is 1 to 200."
  }

  validation {
    condition     = var.sizes.idle_sync_seconds >= 1 && var.sizes.idle_sync_seconds <= 60
    error_message = "sizes.idle_sync_seconds is 1 to 60: a robot counts as offline after two minutes of silence."
  }
}

variable "retention" {
  description = "For how many days finished jobs (7 to 3650) and logs are kept."
  type = object({
    jobs_days = optional(number, 30)
    logs_days = optional(number, 30)
  })
  default = {}

  validation {
    condition     = var.retention.jobs_days >= 7 && var.retention.jobs_days <= 3650
    error_message = "retention.jobs_days is 7 to 3650: idempotency keys are kept as long as their jobs, and at least a week."
  }

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.retention.logs_days)
    error_message = "retention.logs_days is one that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, … 3653."
  }
}

variable "throttling" {
  description = <<-TEXT
    Calls a second, and in a burst, that the API lets through before it answers 429. Robots' routes have a bucket of their own, so that
    a flood of submits does not cost them their leases.
  TEXT
  type = object({
    rate        = optional(number, 200)
    burst       = optional(number, 400)
    robot_rate  = optional(number, 1000)
    robot_burst = optional(number, 2000)
  })
  default = {}

  validation {
    condition     = alltrue([for calls in values(var.throttling) : calls >= 1])
    error_message = "throttling: each is at least 1."
  }
}

variable "alarms" {
  description = <<-TEXT
    When somebody is woken, and how: topic_arn is an SNS topic that CloudWatch may publish to; without it the alarms only show.
    Numbers of jobs are those within five minutes; oldest_ready_seconds has to last for five minutes.
  TEXT
  type = object({
    enabled                 = optional(bool, true)
    topic_arn               = optional(string)
    oldest_ready_seconds    = optional(number, 300)
    dead_letters            = optional(number, 1)
    leases_lost             = optional(number, 5)
    server_errors           = optional(number, 5)
    database_cpu_percent    = optional(number, 80)
    database_free_gigabytes = optional(number, 5)
    database_connections    = optional(number, 80)
  })
  default = {}

  validation {
    condition     = var.alarms.topic_arn == null || can(regex("^arn:[^:]+:sns:[^:]+:[0-9]{12}:.+$", var.alarms.topic_arn))
    error_message = "alarms.topic_arn is the ARN of an SNS topic."
  }

  validation {
    condition = alltrue([for least in [
      var.alarms.oldest_ready_seconds, var.alarms.dead_letters, var.alarms.leases_lost, var.alarms.server_errors,
      var.alarms.database_cpu_percent, var.alarms.database_free_gigabytes, var.alarms.database_connections,
    ] : least >= 1])
    error_message = "alarms: each threshold is at least 1."
  }
}

variable "domain" {
  description = <<-TEXT
    A name of your own for the API. certificate_arn is one of ACM in the same region; with zone_id the name is put into that Route 53
    zone, else point a CNAME at the output domain_target. The API's own address is switched off.
  TEXT
  type = object({
    name            = string
    certificate_arn = string
    zone_id         = optional(string)
  })
  default = null

  validation {
    condition     = var.domain == null || can(regex("^arn:[^:]+:acm:[^:]+:[0-9]{12}:certificate/.+$", var.domain.certificate_arn))
    error_message = "domain.certificate_arn is the ARN of a certificate in ACM."
  }

  validation {
    condition     = var.domain == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain.name))
    error_message = "domain.name is a host name like remuda.example.com."
  }
}

variable "cors" {
  description = "The web pages that may call the API from a browser, like [\"https://ops.example.com\"]; null, the default: none."
  type = object({
    origins         = list(string)
    max_age_seconds = optional(number, 300)
  })
  default = null

  validation {
    condition     = var.cors == null || try(length(var.cors.origins) > 0 && alltrue([for origin in var.cors.origins : can(regex("^https?://[^/*]+$", origin))]), false)
    error_message = "cors.origins names each page's origin, like https://ops.example.com: no path, and no * that would let every page in."
  }
}

variable "kms_key_arn" {
  description = "A KMS key of yours for the table, the queues, the logs and the functions' environment; null leaves each to a key of AWS."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key, not of an alias: policies name keys."
  }
}

variable "deletion_protection" {
  description = "Whether the table refuses to be deleted. Switch it off, apply, and only then destroy."
  type        = bool
  default     = true
}

variable "paused" {
  description = "Stops everything but migrate: no call is taken, nothing ticks, hints stay in their queue. For copies and restores."
  type        = bool
  default     = false
}

variable "tracing" {
  description = "Whether X-Ray records traces: by its default rule each second's first call, and one in twenty beyond."
  type        = bool
  default     = true
}

variable "log" {
  description = "What the functions log: a level like \"info\", or levels by target like \"info,queue=debug\"."
  type        = string
  default     = "info"

  validation {
    condition     = can(regex("^[a-z_:]+(=(off|error|warn|info|debug|trace))?(,[a-z_:]+(=(off|error|warn|info|debug|trace))?)*$", var.log))
    error_message = "log is a level, like info, or levels by target, like info,queue=debug."
  }
}
