-- Jobs with plain columns, for people who ask in SQL. Nothing in the queue reads it.
-- Payloads, results, logs and checkpoints are in the table blob.

create view jobs as
select
    id,
    tenant,
    job ->> '$.spec.queue' as queue,
    job ->> '$.spec.workflow' as workflow,
    job ->> '$.spec.workflow_version' as workflow_version,
    iif(stands = 'ended', held ->> '$.end', stands) as state,
    job ->> '$.reason' as reason,
    job ->> '$.spec.priority' as priority,
    job ->> '$.attempts.given' as attempt,
    job ->> '$.attempts.started' as attempts_started,
    job ->> '$.spec.retry.max_attempts' as max_attempts,
    hold ->> '$.robot' as robot,
    strftime('%Y-%m-%dT%H:%M:%fZ', (job ->> '$.created_at') / 1e6, 'unixepoch') as created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', (job ->> '$.run_at') / 1e6, 'unixepoch') as run_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', ready_at / 1e6, 'unixepoch') as ready_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', (hold ->> '$.leased_at') / 1e6, 'unixepoch') as leased_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', (hold ->> '$.started_at') / 1e6, 'unixepoch') as started_at,
    iif(stands = 'ended', strftime('%Y-%m-%dT%H:%M:%fZ', (held ->> '$.at') / 1e6, 'unixepoch'), null) as finished_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', (job ->> '$.spec.deadline') / 1e6, 'unixepoch') as deadline,
    strftime('%Y-%m-%dT%H:%M:%fZ', (job ->> '$.cancel_requested_at') / 1e6, 'unixepoch') as cancel_requested_at,
    job ->> '$.error.kind' as error_kind,
    job ->> '$.error.code' as error_code,
    job ->> '$.error.message' as error_message,
    job -> '$.spec.requires' as requires,
    coalesce(job -> '$.spec.labels', '{}') as labels,
    job ->> '$.spec.dedup.key' as dedup_key,
    job ->> '$.spec.retry_of' as retry_of,
    version
from (
    select
        record.id,
        record.tenant,
        record.version,
        record.body as job,
        state.key as stands,
        state.value as held,
        coalesce(state.value -> '$.hold', state.value -> '$.last') as hold,
        (
            select max(step.value ->> '$.at') from json_each(record.body, '$.history') as step
            where step.value ->> '$.to' = 'ready'
        ) as ready_at
    from record cross join json_each(record.body, '$.state') as state
    where record.kind = 1
);
