# What can be switched, switched.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }
}

variables {
  store   = "sqs"
  package = "tests/package/sqs"
}

run "without_alarms_there_are_none" {
  command = plan

  variables {
    alarms = { enabled = false }
  }

  assert {
    condition     = length(output.alarms) == 0 && output.dashboard_url == null
    error_message = "There are alarms."
  }
}

run "a_key_of_ones_own_comes_with_leave_to_use_it" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/mine"
  }

  assert {
    condition     = alltrue([for function, statements in local.statements : contains(statements[*].sid, "UseKeyOfTable")])
    error_message = "A function cannot use the table any more."
  }

  assert {
    condition = alltrue([
      for function, statements in local.statements : contains(statements[*].sid, "UseKeyOfQueue") == contains(statements[*].sid, "SendHints")
    ])
    error_message = "Who sends hints has to use the queue's key, and nobody else."
  }

  assert {
    condition = alltrue(flatten([
      for function, statements in local.statements : [
        for statement in statements : can(statement.condition.StringEquals["kms:ViaService"]) if startswith(statement.actions[0], "kms:")
      ]
    ]))
    error_message = "The key can be used past DynamoDB and SQS."
  }
}

run "routes_of_robots_have_a_throttle_of_their_own" {
  command = plan

  assert {
    condition     = local.robot_routes == toset([for key, function in local.routes : key if function == "robot-callback"])
    error_message = join(", ", local.robot_routes)
  }

  assert {
    condition     = local.routes["$default"] == "control" && local.routes["ANY /v1/robots/{id}/sync"] == "robot-callback" && !contains(keys(local.routes), "ANY /v1/jobs")
    error_message = jsonencode(local.routes)
  }
}

run "what_is_paused_does_not_run_but_for_migrate" {
  command = plan

  variables {
    paused = true
  }

  assert {
    condition     = alltrue([for name, calls in local.concurrency : (calls == 0) == (name != "migrate")])
    error_message = jsonencode(local.concurrency)
  }
}

run "nothing_is_reserved_but_for_the_sweep" {
  command = plan

  assert {
    condition     = { for name, calls in local.concurrency : name => calls if calls != null } == { timeout-sweep = 2 }
    error_message = jsonencode(local.concurrency)
  }
}
