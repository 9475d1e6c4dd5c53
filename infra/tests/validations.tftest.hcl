# Each validation of a variable, and a value that it refuses.

mock_provider "aws" {}

variables {
  store   = "sqs"
  package = "tests/package/sqs"
}

run "a_name_is_short_and_plain" {
  command = plan

  variables {
    name = "Remuda_1"
  }

  expect_failures = [var.name]
}

run "a_store_is_one_of_two" {
  command = plan

  variables {
    store = "sqlite"
  }

  expect_failures = [var.store]
}

run "a_package_has_a_manifest" {
  command = plan

  variables {
    package = "tests"
  }

  expect_failures = [var.package]
}

run "a_package_is_for_the_store" {
  command = plan

  variables {
    package = "tests/package/postgres"
  }

  expect_failures = [var.package]
}

run "a_package_is_for_the_processor" {
  command = plan

  variables {
    architecture = "x86_64"
  }

  expect_failures = [var.package]
}

run "an_architecture_is_one_of_two" {
  command = plan

  variables {
    architecture = "mips"
  }

  expect_failures = [var.architecture]
}

run "postgres_is_named_for_postgres" {
  command = plan

  variables {
    store   = "postgres"
    package = "tests/package/postgres"
  }

  expect_failures = [var.postgres]
}

run "postgres_is_named_for_nothing_else" {
  command = plan

  variables {
    postgres = {
      host              = "proxy.example"
      database          = "remuda"
      user              = "remuda"
      resource_id       = "prx-0123"
      vpc_id            = "vpc-1"
      subnet_ids        = ["subnet-1", "subnet-2"]
      security_group_id = "sg-1"
    }
  }

  expect_failures = [var.postgres]
}

run "a_database_is_reached_from_two_subnets" {
  command = plan

  variables {
    store   = "postgres"
    package = "tests/package/postgres"
    postgres = {
      host              = "proxy.example"
      database          = "remuda"
      user              = "remuda"
      resource_id       = "prx-0123"
      vpc_id            = "vpc-1"
      subnet_ids        = ["subnet-1"]
      security_group_id = "sg-1"
    }
  }

  expect_failures = [var.postgres]
}

run "a_user_holds_no_password" {
  command = plan

  variables {
    store   = "postgres"
    package = "tests/package/postgres"
    postgres = {
      host              = "proxy.example"
      database          = "remuda"
      user              = "remuda:secret"
      resource_id       = "prx-0123"
      vpc_id            = "vpc-1"
      subnet_ids        = ["subnet-1", "subnet-2"]
      security_group_id = "sg-1"
    }
  }

  expect_failures = [var.postgres]
}

run "a_database_is_named_by_its_resource_id" {
  command = plan

  variables {
    store   = "postgres"
    package = "tests/package/postgres"
    postgres = {
      host              = "proxy.example"
      database          = "remuda"
      user              = "remuda"
      resource_id       = "remuda-proxy"
      vpc_id            = "vpc-1"
      subnet_ids        = ["subnet-1", "subnet-2"]
      security_group_id = "sg-1"
    }
  }

  expect_failures = [var.postgres]
}

run "memory_is_given_to_functions_that_exist" {
  command = plan

  variables {
    sizes = { memory_mb = { sweep = 256 } }
  }

  expect_failures = [var.sizes]
}

run "memory_is_what_lambda_has" {
  command = plan

  variables {
    sizes = { memory_mb = { submit = 64 } }
  }

  expect_failures = [var.sizes]
}

run "dispatch_runs_twice_at_least" {
  command = plan

  variables {
    sizes = { dispatch_concurrency = 1 }
  }

  expect_failures = [var.sizes]
}

run "the_sweep_is_never_switched_off" {
  command = plan

  variables {
    sizes = { sweep_concurrency = 0 }
  }

  expect_failures = [var.sizes]
}

run "a_backlog_has_room_for_a_job" {
  command = plan

  variables {
    sizes = { backlog_max = 0 }
  }

  expect_failures = [var.sizes]
}

run "a_function_has_a_connection" {
  command = plan

  variables {
    sizes = { connections_max = 0 }
  }

  expect_failures = [var.sizes]
}

run "an_idle_robot_asks_each_minute_at_least" {
  command = plan

  variables {
    sizes = { idle_sync_seconds = 61 }
  }

  expect_failures = [var.sizes]
}

run "jobs_are_kept_for_a_week" {
  command = plan

  variables {
    retention = { jobs_days = 6 }
  }

  expect_failures = [var.retention]
}

run "logs_are_kept_as_cloudwatch_can" {
  command = plan

  variables {
    retention = { logs_days = 8 }
  }

  expect_failures = [var.retention]
}

run "a_throttle_lets_something_through" {
  command = plan

  variables {
    throttling = { robot_rate = 0 }
  }

  expect_failures = [var.throttling]
}

run "alarms_tell_a_topic" {
  command = plan

  variables {
    alarms = { topic_arn = "arn:aws:sqs:eu-central-1:123456789012:no-topic" }
  }

  expect_failures = [var.alarms]
}

run "an_alarm_has_a_threshold" {
  command = plan

  variables {
    alarms = { dead_letters = 0 }
  }

  expect_failures = [var.alarms]
}

run "a_certificate_is_acms" {
  command = plan

  variables {
    domain = {
      name            = "remuda.example.com"
      certificate_arn = "arn:aws:iam::123456789012:server-certificate/x"
    }
  }

  expect_failures = [var.domain]
}

run "a_domain_is_a_host" {
  command = plan

  variables {
    domain = {
      name            = "https://remuda.example.com/"
      certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/x"
    }
  }

  expect_failures = [var.domain]
}

run "no_page_is_let_in_by_a_star" {
  command = plan

  variables {
    cors = { origins = ["*"] }
  }

  expect_failures = [var.cors]
}

run "an_origin_has_no_path" {
  command = plan

  variables {
    cors = { origins = ["https://ops.example.com/jobs"] }
  }

  expect_failures = [var.cors]
}

run "cors_names_a_page" {
  command = plan

  variables {
    cors = { origins = [] }
  }

  expect_failures = [var.cors]
}

run "a_key_is_no_alias" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/mine"
  }

  expect_failures = [var.kms_key_arn]
}

run "a_log_filter_is_whole" {
  command = plan

  variables {
    log = "queue="
  }

  expect_failures = [var.log]
}
