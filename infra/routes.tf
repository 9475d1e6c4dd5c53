# Which function serves what, as the routers of the functions say and the OpenAPI document tells. A test holds all three together.

locals {
  routes_by_function = {
    submit = [
      "POST /v1/jobs",
      "POST /v1/jobs/bulk",
    ]

    robot-callback = [
      "POST /v1/robots",
      "POST /v1/robots/{id}/session",
      "POST /v1/robots/{id}/sync",
      "POST /v1/jobs/{id}/attempts/{n}/finish",
      "POST /v1/jobs/{id}/attempts/{n}/release",
      "PUT /v1/jobs/{id}/attempts/{n}/checkpoints/{name}",
      "PUT /v1/jobs/{id}/attempts/{n}/log/{seq}",
    ]

    control = [
      "GET /health",
      "GET /metrics",
      "GET /openapi.json",
      "GET /ready",
      "GET /v1/dead-letters",
      "POST /v1/dead-letters/{id}/discard",
      "POST /v1/dead-letters/{id}/requeue",
      "POST /v1/dead-letters/{id}/resolve",
      "GET /v1/jobs",
      "POST /v1/jobs/bulk-cancel",
      "POST /v1/jobs/bulk-retry",
      "GET /v1/jobs/{id}",
      "POST /v1/jobs/{id}/cancel",
      "GET /v1/jobs/{id}/explain",
      "GET /v1/jobs/{id}/history",
      "GET /v1/jobs/{id}/logs",
      "POST /v1/jobs/{id}/retry",
      "GET /v1/jobs/{id}/wait",
      "GET /v1/keys",
      "POST /v1/keys",
      "DELETE /v1/keys/{id}",
      "GET /v1/queues",
      "PUT /v1/queues/{name}",
      "GET /v1/robots",
      "GET /v1/robots/{id}",
      "DELETE /v1/robots/{id}",
      "POST /v1/robots/{id}/drain",
      "POST /v1/robots/{id}/resume",
      "GET /v1/stats",
    ]
  }

  # Has every path that no function serves, and says 404 by a problem document.
  rest = "control"

  served = merge([for function, keys in local.routes_by_function : { for key in keys : key => function }]...)

  # The functions of each path. A wrong method on a path that `control` does not know goes to the function that does, so that it
  # says 405 and not 404.
  functions_by_path = {
    for key, function in local.served : split(" ", key)[1] => function...
  }
  other_methods = {
    for path, functions in local.functions_by_path : "ANY ${path}" => functions[0]
    if !contains(functions, local.rest)
  }

  routes = merge(local.served, local.other_methods, { "$default" = local.rest })

  # What robots call has a throttle of its own.
  robot_routes = toset(concat(local.routes_by_function.robot-callback, [
    for key, function in local.other_methods : key if function == "robot-callback"
  ]))
}
