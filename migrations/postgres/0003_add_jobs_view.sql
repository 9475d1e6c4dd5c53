-- Jobs with plain columns, for people who ask in SQL. Nothing in the queue reads it.
-- Payloads, results, logs and checkpoints are in the table blob.

create view jobs as
select
    record.id,
    record.tenant,
    job -> 'spec' ->> 'queue' as queue,
    job -> 'spec' ->> 'workflow' as workflow,
    job -> 'spec' ->> 'workflow_version' as workflow_version,
    case stands when 'ended' then held ->> 'end' else stands end as state,
    job ->> 'reason' as reason,
    (job -> 'spec' ->> 'priority')::integer as priority,
    (job -> 'attempts' ->> 'given')::integer as attempt,
    (job -> 'attempts' ->> 'started')::integer as attempts_started,
    (job -> 'spec' -> 'retry' ->> 'max_attempts')::integer as max_attempts,
    hold ->> 'robot' as robot,
    to_timestamp((job ->> 'created_at')::bigint / 1e6) as created_at,
    to_timestamp((job ->> 'run_at')::bigint / 1e6) as run_at,
    to_timestamp(ready_at / 1e6) as ready_at,
    to_timestamp((hold ->> 'leased_at')::bigint / 1e6) as leased_at,
    to_timestamp((hold ->> 'started_at')::bigint / 1e6) as started_at,
    to_timestamp(case stands when 'ended' then (held ->> 'at')::bigint end / 1e6) as finished_at,
    to_timestamp((job -> 'spec' ->> 'deadline')::bigint / 1e6) as deadline,
    to_timestamp((job ->> 'cancel_requested_at')::bigint / 1e6) as cancel_requested_at,
    job -> 'error' ->> 'kind' as error_kind,
    job -> 'error' ->> 'code' as error_code,
    job -> 'error' ->> 'message' as error_message,
    job -> 'spec' -> 'requires' as requires,
    coalesce(job -> 'spec' -> 'labels', '{}') as labels,
    job -> 'spec' -> 'dedup' ->> 'key' as dedup_key,
    (job -> 'spec' ->> 'retry_of')::uuid as retry_of,
    record.version
from record
-- A NUL that somebody put into a text is the one character of JSON that Postgres does not take; it becomes U+FFFD.
cross join lateral (
    select case position('\u0000' in record.body)
        when 0 then record.body
        else regexp_replace(record.body, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')
    end::jsonb as job
) as read
cross join lateral jsonb_each(job -> 'state') as state (stands, held)
cross join lateral (select coalesce(held -> 'hold', held -> 'last') as hold) as latest
cross join lateral (
    select max((step ->> 'at')::bigint) as ready_at
    from jsonb_array_elements(job -> 'history') as step where step ->> 'to' = 'ready'
) as history
where record.kind = 1;
