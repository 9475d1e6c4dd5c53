variable "name" {
  description = "What the names of everything here begin with."
  type        = string
}

variable "place" {
  description = "Where it runs. ARNs are made from it."
  type = object({
    partition = string
    region    = string
    account   = string
  })
}

variable "postgres" {
  description = "The database, the proxy before it, and the network that both are in."
  type = object({
    host              = string
    port              = number
    database          = string
    user              = string
    resource_id       = string
    vpc_id            = string
    subnet_ids        = list(string)
    security_group_id = string
    endpoints         = set(string)
  })
}
