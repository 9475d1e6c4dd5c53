# What each function may do with the table and the queue. A function may do what its operations call and nothing more; which ones
# these are is told in shared/queue-aws, and a test runs every function's operations with no more than is listed here.

locals {
  table_arn = "arn:${local.place.partition}:dynamodb:${local.place.region}:${local.place.account}:table/${var.name}"
  queue_arn = "arn:${local.place.partition}:sqs:${local.place.region}:${local.place.account}:${local.queue_name}"

  # Reads of records and blobs by their keys.
  read = ["dynamodb:BatchGetItem", "dynamodb:Query"]

  # A record is written by UpdateItem, alone or in a transaction; blobs and the register of lanes by PutItem.
  write = ["dynamodb:PutItem", "dynamodb:UpdateItem"]

  # Whoever removes a job's record removes the blobs beside it.
  remove = ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem"]

  # The sweep looks for what is due and what has expired; beside it, for its metrics, it counts what waits and who is there.
  sweep = { actions = concat(local.read, local.write, local.remove), indexes = ["ready", "due", "filed", "expiring"] }

  table_access = {
    # Looks how much waits before it takes more in.
    submit = { actions = concat(local.read, local.write), indexes = ["ready"] }

    # Lists tenants, queues and robots, looks where work waits, and sweeps when a timer's hint comes.
    dispatch = local.sweep

    timeout-sweep = local.sweep

    # A sync finds work in the ready index. Nothing that a robot says removes anything.
    robot-callback = { actions = concat(local.read, local.write), indexes = ["ready"] }

    # Lists and counts everything; removes keys and robots, which have no blobs beside them. `GetItem` is how /health and /ready ask whether the table answers,
    # and a retry checks in its transaction that the old job is as it was.
    control = {
      actions = concat(local.read, local.write, ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem"])
      indexes = ["ready", "due", "filed"]
    }

    # Says how the table stands, and writes the first key with its tenant.
    migrate = {
      actions = ["dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:UpdateItem"]
      indexes = []
    }
  }

  # Who tells dispatch to look. A key that is made by migrate wakes nobody.
  senders = toset(["submit", "dispatch", "timeout-sweep", "robot-callback", "control"])

  table_statements = {
    for function, access in local.table_access : function => concat(
      [{
        sid       = "UseTable"
        why       = "What the function's operations call on the one table, and no scan, no change of the table, no other table."
        actions   = sort(access.actions)
        resources = [local.table_arn]
      }],
      [for statement in [{
        sid       = "FindInIndexes"
        why       = "Indexes hold keys only, and are only ever queried: these, because others are not asked."
        actions   = ["dynamodb:Query"]
        resources = [for index in access.indexes : "${local.table_arn}/index/${index}"]
      }] : statement if length(access.indexes) > 0],
    )
  }

  send_statements = [{
    sid       = "SendHints"
    why       = "A hint goes out after the write: look now, or look at that time."
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]
  }]

  take_statements = [{
    sid       = "TakeHints"
    why       = "Lambda reads the queue in the name of the function that handles it, and asks for these three and the visibility."
    actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [local.queue_arn]
  }]

  # Only with a key of one's own: DynamoDB and SQS use it in the caller's name, and nobody may use it past them.
  table_key_statements = [for statement in [{
    sid = "UseKeyOfTable"
    why = "DynamoDB asks that who uses a table may use its key."
    actions = [
      "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext",
      "kms:ReEncryptFrom", "kms:ReEncryptTo",
    ]
    resources = [coalesce(var.kms_key_arn, "none")]
    condition = { StringEquals = { "kms:ViaService" = ["dynamodb.${local.place.region}.amazonaws.com"] } }
  }] : statement if var.kms_key_arn != null]

  queue_key_statements = [for statement in [{
    sid       = "UseKeyOfQueue"
    why       = "Who sends has a data key made and checks it; Lambda, which reads in the function's name, opens it."
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [coalesce(var.kms_key_arn, "none")]
    condition = { StringEquals = { "kms:ViaService" = ["sqs.${local.place.region}.amazonaws.com"] } }
  }] : statement if var.kms_key_arn != null]

  sqs_statements = {
    for function in keys(local.functions) : function => concat(
      local.table_statements[function],
      local.table_key_statements,
      [for statement in concat(local.send_statements, local.queue_key_statements) : statement if contains(local.senders, function)],
      [for statement in local.take_statements : statement if function == local.hints_go_to],
    )
  }

  # On Postgres no function calls an AWS API: a token is signed without asking anybody.
  postgres_statements = {
    for function in keys(local.functions) : function => flatten(module.postgres_access[*].statements)
  }

  statements = { sqs = local.sqs_statements, postgres = local.postgres_statements }[var.store]
}
