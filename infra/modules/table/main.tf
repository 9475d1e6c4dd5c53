# The one table. It is what `remuda store migrate --print` shows; a test holds the two together.

locals {
  # Sparse indexes of keys only, by name: partition key, sort key. What they are for is told in queue-aws' layout.
  indexes = {
    ready    = { partition = "rp", sort = "rs" }
    due      = { partition = "dp", sort = "ds" }
    filed    = { partition = "fp", sort = "fs" }
    expiring = { partition = "ep", sort = "es" }
  }

  partition_key = "pk"
  sort_key      = "sk"

  # Seconds since 1970, at which DynamoDB removes what is finished and stands alone.
  time_to_live = "x"

  key_attributes = concat(
    [local.partition_key, local.sort_key],
    flatten([for index in local.indexes : [index.partition, index.sort]]),
  )
}

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119:Encrypted with a key that DynamoDB owns; kms_key_arn puts yours in its place
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = local.partition_key
  range_key    = local.sort_key

  dynamic "attribute" {
    for_each = toset(local.key_attributes)
    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.indexes
    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value.partition
      range_key       = global_secondary_index.value.sort
      projection_type = "KEYS_ONLY"
    }
  }

  ttl {
    attribute_name = local.time_to_live
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  deletion_protection_enabled = var.deletion_protection
}
