# What the modules derive, each for itself.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:queue" }
  }
}

variables {
  store   = "sqs"
  package = "tests/package/sqs"
}

run "hints_stay_hidden_for_six_timeouts" {
  command = plan

  module {
    source = "./modules/hints"
  }

  variables {
    name                 = "here-hints"
    consumer_arn         = "arn:aws:lambda:eu-central-1:123456789012:function:here-dispatch"
    consumer_timeout     = 50
    consumer_concurrency = 7
  }

  assert {
    condition     = aws_sqs_queue.hints.visibility_timeout_seconds == 300
    error_message = "It is ${aws_sqs_queue.hints.visibility_timeout_seconds} s."
  }

  assert {
    condition     = contains(aws_lambda_event_source_mapping.hints.function_response_types, "ReportBatchItemFailures")
    error_message = "One bad hint would bring the whole batch back."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.hints.scaling_config[0].maximum_concurrency == 7
    error_message = "The mapping has no maximum."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.hints.redrive_policy) == { deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 3 }
    error_message = aws_sqs_queue.hints.redrive_policy
  }

  assert {
    condition     = aws_sqs_queue.hints.sqs_managed_sse_enabled && aws_sqs_queue.dead.sqs_managed_sse_enabled
    error_message = "Messages lie in the clear."
  }

  assert {
    condition     = aws_sqs_queue.dead.message_retention_seconds > aws_sqs_queue.hints.message_retention_seconds
    error_message = "A dead letter would go as soon as it came."
  }

  assert {
    condition = alltrue([for policy in aws_sqs_queue_policy.tls :
    jsondecode(policy.policy).Statement[0].Effect == "Deny" && jsondecode(policy.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"])
    error_message = "The queues can be used without TLS."
  }
}

run "a_key_of_ones_own_takes_the_place_of_sqs_own" {
  command = plan

  module {
    source = "./modules/hints"
  }

  variables {
    name                 = "here-hints"
    consumer_arn         = "arn:aws:lambda:eu-central-1:123456789012:function:here-dispatch"
    consumer_timeout     = 50
    consumer_concurrency = 7
    kms_key_arn          = "arn:aws:kms:eu-central-1:123456789012:key/mine"
  }

  assert {
    condition     = aws_sqs_queue.hints.kms_master_key_id == var.kms_key_arn && aws_sqs_queue.dead.kms_master_key_id == var.kms_key_arn
    error_message = "The key is not used."
  }
}

run "the_table_keeps_what_is_put_into_it" {
  command = plan

  module {
    source = "./modules/table"
  }

  variables {
    name                = "here"
    deletion_protection = true
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled && aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "The table can be lost."
  }

  assert {
    condition     = aws_dynamodb_table.this.ttl[0].attribute_name == "x" && aws_dynamodb_table.this.ttl[0].enabled
    error_message = "Finished jobs stay for ever."
  }

  assert {
    condition     = length(aws_dynamodb_table.this.global_secondary_index) == 4 && alltrue([for index in aws_dynamodb_table.this.global_secondary_index : index.projection_type == "KEYS_ONLY"])
    error_message = "The indexes are others."
  }
}

run "a_scheduled_function_keeps_what_it_fails_at" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    name               = "here-dispatch"
    description        = "Dispatches"
    place              = { partition = "aws", region = "eu-central-1", account = "123456789012" }
    architecture       = "arm64"
    file               = "dispatch.zip"
    source_code_hash   = "abc"
    memory_mb          = 256
    timeout            = 50
    environment        = {}
    log_retention_days = 30
    is_scheduled       = true
  }

  assert {
    condition     = aws_sqs_queue.dead[0].name == "here-dispatch-dead" && length(aws_lambda_function.this.dead_letter_config) == 1
    error_message = "Failed ticks are lost."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this[0].maximum_retry_attempts == 0
    error_message = "A failed tick is tried again beside the next one."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => statement.Resource } == {
      WriteLog        = ["arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/here-dispatch:*"]
      SendTraces      = ["*"]
      KeepDeadLetters = ["arn:aws:sqs:eu-central-1:123456789012:here-dispatch-dead"]
    }
    error_message = aws_iam_role_policy.this.policy
  }

  assert {
    condition     = aws_lambda_function.this.tracing_config[0].mode == "Active" && aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "Traces are on, and nothing is reserved unless it is asked for."
  }
}

run "a_function_in_a_network_is_let_into_it_and_its_program_is_not" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    name                 = "here-submit"
    description          = "Submits"
    place                = { partition = "aws", region = "eu-central-1", account = "123456789012" }
    architecture         = "x86_64"
    file                 = "submit.zip"
    source_code_hash     = "abc"
    memory_mb            = 256
    timeout              = 29
    environment          = {}
    log_retention_days   = 30
    reserved_concurrency = 2
    network              = { subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1"]) && aws_lambda_function.this.reserved_concurrent_executions == 2
    error_message = "It runs elsewhere."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Effect if startswith(statement.Action[0], "ec2:")] == ["Allow", "Deny"]
    error_message = aws_iam_role_policy.this.policy
  }

  assert {
    condition     = length(aws_sqs_queue.dead) == 0 && length(aws_lambda_function.this.dead_letter_config) == 0
    error_message = "A function that is called for an answer has dead letters."
  }
}

run "each_tick_comes_once_a_minute_and_is_kept_when_it_cannot" {
  command = plan

  module {
    source = "./modules/schedules"
  }

  variables {
    name    = "here"
    account = "123456789012"
    functions = {
      dispatch = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:here-dispatch", dead_letter_arn = "arn:aws:sqs:eu-central-1:123456789012:here-dispatch-dead" }
    }
  }

  assert {
    condition     = aws_scheduler_schedule.tick["dispatch"].schedule_expression == "rate(1 minute)" && aws_scheduler_schedule.tick["dispatch"].state == "ENABLED"
    error_message = "It does not tick each minute."
  }

  assert {
    condition     = aws_scheduler_schedule.tick["dispatch"].target[0].dead_letter_config[0].arn == var.functions.dispatch.dead_letter_arn
    error_message = "A tick that cannot be given is lost."
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.tick["dispatch"].target[0].input) == {}
    error_message = "The functions are sent something else than a bare tick."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.tick["dispatch"].policy).Statement : statement.Sid => [statement.Action, statement.Resource] } == {
      CallTheFunction = [["lambda:InvokeFunction"], [var.functions.dispatch.arn]]
      KeepDeadLetters = [["sqs:SendMessage"], [var.functions.dispatch.dead_letter_arn]]
    }
    error_message = aws_iam_role_policy.tick["dispatch"].policy
  }

  assert {
    condition     = jsondecode(aws_iam_role.tick["dispatch"].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "Another account's schedule could take on the role."
  }
}
