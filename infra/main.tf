# Remuda on AWS: five functions behind one HTTP API and two schedules, a sixth for the operator's own hands, and the store that
# `store` names. Each module is one subject; here they are put together.

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  place = {
    partition = data.aws_partition.this.partition
    region    = data.aws_region.this.region
    account   = data.aws_caller_identity.this.account_id
  }

  queue_name = "${var.name}-hints"

  # Lambda shares out processor by memory, and nothing here needs more.
  memory_mb_default = 256

  # The API gives up at 30 s, so a function it calls has to have answered before.
  answer_timeout = 29

  # The sweep and a dispatch end before the next tick, so that none waits for another.
  tick_timeout = 50

  # A migration may have to build an index.
  migrate_timeout = 300

  functions = {
    submit         = { does = "Takes jobs in", timeout = local.answer_timeout, is_scheduled = false }
    robot-callback = { does = "Hears what robots say", timeout = local.answer_timeout, is_scheduled = false }
    control        = { does = "Answers operators", timeout = local.answer_timeout, is_scheduled = false }
    dispatch       = { does = "Matches ready jobs with robots", timeout = local.tick_timeout, is_scheduled = true }
    timeout-sweep  = { does = "Fires every timer that is due", timeout = local.tick_timeout, is_scheduled = true }
    migrate        = { does = "Brings the store up to date and makes keys, for an operator who calls it directly", timeout = local.migrate_timeout, is_scheduled = false }
  }

  hints_go_to = "dispatch"

  # What is paused may not run at all; an operator's own hands may.
  concurrency = {
    for name in keys(local.functions) : name =>
    var.paused && name != "migrate" ? 0 : name == "timeout-sweep" ? var.sizes.sweep_concurrency : null
  }

  manifest = jsondecode(file("${var.package}/manifest.json"))

  # By index and not by splat: a splat would wait for all of the module, and the queue's mapping waits for the functions.
  store = var.store == "sqs" ? "sqs://${module.table[0].name}?queue=${urlencode(module.hints[0].url)}" : module.postgres_access[0].store

  environment = {
    REMUDA_STORE             = local.store
    REMUDA_RETENTION_DAYS    = var.retention.jobs_days
    REMUDA_BACKLOG_MAX       = var.sizes.backlog_max
    REMUDA_CONNECTIONS_MAX   = var.sizes.connections_max
    REMUDA_IDLE_SYNC_SECONDS = var.sizes.idle_sync_seconds
    REMUDA_LOG               = var.log
    # To be set turns the metrics on; what it is set to is their dimension.
    REMUDA_METRICS = var.name
    # Or every cold start looks through a folder of certificates beside the bundle.
    SSL_CERT_FILE = "/etc/pki/tls/certs/ca-bundle.crt"
  }
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  name             = "${var.name}-${each.key}"
  description      = each.value.does
  place            = local.place
  architecture     = var.architecture
  file             = "${var.package}/${local.manifest.functions[each.key].file}"
  source_code_hash = local.manifest.functions[each.key].source_code_hash

  timeout              = each.value.timeout
  memory_mb            = lookup(var.sizes.memory_mb, each.key, local.memory_mb_default)
  reserved_concurrency = local.concurrency[each.key]

  environment        = local.environment
  statements         = local.statements[each.key]
  is_scheduled       = each.value.is_scheduled
  network            = one(module.postgres_access[*].network)
  tracing            = var.tracing
  log_retention_days = var.retention.logs_days
  kms_key_arn        = var.kms_key_arn
}

module "table" {
  source = "./modules/table"
  count  = var.store == "sqs" ? 1 : 0

  name                = var.name
  deletion_protection = var.deletion_protection
  kms_key_arn         = var.kms_key_arn
}

module "hints" {
  source = "./modules/hints"
  count  = var.store == "sqs" ? 1 : 0

  name                 = local.queue_name
  consumer_arn         = module.function[local.hints_go_to].arn
  consumer_timeout     = local.functions[local.hints_go_to].timeout
  consumer_concurrency = var.sizes.dispatch_concurrency
  is_paused            = var.paused
  kms_key_arn          = var.kms_key_arn
}

module "postgres_access" {
  source = "./modules/postgres_access"
  count  = var.store == "postgres" ? 1 : 0

  name     = var.name
  place    = local.place
  postgres = var.postgres
}

module "http_api" {
  source = "./modules/http_api"

  name         = var.name
  routes       = local.routes
  robot_routes = local.robot_routes
  functions    = { for name, function in module.function : name => { name = function.name, invoke_arn = function.invoke_arn } }

  throttling         = var.throttling
  cors               = var.cors
  domain             = var.domain
  log_retention_days = var.retention.logs_days
  kms_key_arn        = var.kms_key_arn
}

module "schedules" {
  source = "./modules/schedules"

  name    = var.name
  account = local.place.account
  functions = {
    for name, function in local.functions : name => {
      arn             = "arn:${local.place.partition}:lambda:${local.place.region}:${local.place.account}:function:${var.name}-${name}"
      dead_letter_arn = "arn:${local.place.partition}:sqs:${local.place.region}:${local.place.account}:${var.name}-${name}-dead"
    } if function.is_scheduled
  }
  is_paused   = var.paused
  kms_key_arn = var.kms_key_arn

  # The ARNs above are spelt out, so that a plan shows the policies whole; so the order has to be said.
  depends_on = [module.function]
}

module "alarms" {
  source = "./modules/alarms"
  count  = var.alarms.enabled ? 1 : 0

  name      = var.name
  region    = local.place.region
  functions = { for name, function in module.function : name => function.name }
  api_id    = module.http_api.id
  table     = one(module.table[*].name)
  indexes   = flatten(module.table[*].indexes)
  database  = try(var.postgres.instance_id, null)

  dead_letter_queues = merge(
    { for name, function in module.function : name => function.dead_letter_name if local.functions[name].is_scheduled },
    { for hints in module.hints : "hints" => hints.dead_letter_name },
  )

  topic_arn  = var.alarms.topic_arn
  thresholds = var.alarms
}
