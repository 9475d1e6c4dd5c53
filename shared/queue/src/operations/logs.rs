//! What robots write beside a job while they work: log chunks and checkpoints.

use std::collections::BTreeMap;

use domain::{CheckpointName, Job, JobId, Rejection, RobotId, TenantName, job::Fence};

use super::callback::is_by;
use crate::{
    codec::job_key,
    engine::{Engine, Refusal},
    store::{Blob, BlobKey, BlobPut, Key, StoreError},
};

/// How many chunks the log of one attempt may have.
pub const LOG_CHUNKS_MAX: u32 = 4_096;

/// How many checkpoints one attempt may write.
pub const CHECKPOINTS_MAX: usize = 64;

/// How many names are read at a time.
const NAMES_PAGE: usize = 1_000;

const CHECKPOINT_PREFIX: &str = "checkpoint/";

impl Engine {
    /// Appends chunk `seq` to the log of the attempt that `fence` speaks for. The same chunk again is taken and changes
    /// nothing.
    pub async fn append_log(
        &self,
        tenant: &TenantName,
        robot: &RobotId,
        job: JobId,
        fence: Fence,
        seq: u32,
        chunk: Vec<u8>,
    ) -> Result<(), Refusal> {
        self.check_writable(tenant, robot, job, &fence).await?;
        if seq >= LOG_CHUNKS_MAX {
            return Err(Refusal::TooMany {
                max: LOG_CHUNKS_MAX as usize,
            });
        }
        let owner = job_key(tenant, job);
        if seq > 0 && !self.has_chunk(&owner, fence.attempt, seq - 1).await? {
            let next_seq = self.chunks(&owner, fence.attempt).await?;
            return Err(Refusal::LogGap { next_seq });
        }
        let key = BlobKey {
            owner,
            name: chunk_name(fence.attempt, seq),
        };
        match self
            .store
            .put_new_blob(Blob {
                key,
                body: chunk.clone(),
            })
            .await?
        {
            BlobPut::Exists(there) if there != chunk => Err(Refusal::ChunkConflict),
            BlobPut::Stored | BlobPut::Exists(_) => Ok(()),
        }
    }

    /// Keeps `value` as the checkpoint `name`: the next attempt gets it.
    pub async fn put_checkpoint(
        &self,
        tenant: &TenantName,
        robot: &RobotId,
        job: JobId,
        fence: Fence,
        name: CheckpointName,
        value: String,
    ) -> Result<(), Refusal> {
        self.check_writable(tenant, robot, job, &fence).await?;
        let owner = job_key(tenant, job);
        // Under its attempt, so that one that was overtaken cannot change what the next one wrote.
        let prefix = format!("{CHECKPOINT_PREFIX}{:05}/", fence.attempt);
        let names = self.store.blob_names(&owner, &prefix, None, CHECKPOINTS_MAX).await?;
        let blob = format!("{prefix}{name}");
        if names.len() >= CHECKPOINTS_MAX && !names.contains(&blob) {
            return Err(Refusal::TooMany { max: CHECKPOINTS_MAX });
        }
        self.store
            .put_blob(Blob {
                key: BlobKey { owner, name: blob },
                body: value.into_bytes(),
            })
            .await?;
        Ok(())
    }

    /// How many chunks the log of `attempt` (by default the last one) has, with the number of that attempt.
    pub async fn log_length(
        &self,
        tenant: &TenantName,
        id: JobId,
        attempt: Option<u32>,
    ) -> Result<(u32, u32), Refusal> {
        let job = self.load_job(tenant, id).await?.ok_or(Refusal::NotFound)?;
        let attempt = attempt.unwrap_or(job.value.attempts.given);
        Ok((attempt, self.chunks(&job_key(tenant, id), attempt).await?))
    }

    /// Up to `limit` chunks of the log of `attempt` from chunk `from` on; none beyond its end.
    pub async fn log_chunks(
        &self,
        tenant: &TenantName,
        id: JobId,
        attempt: u32,
        from: u32,
        limit: u32,
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let owner = job_key(tenant, id);
        let keys: Vec<BlobKey> = (from..from.saturating_add(limit))
            .map(|seq| BlobKey {
                owner: owner.clone(),
                name: chunk_name(attempt, seq),
            })
            .collect();
        Ok(self
            .store
            .blobs(&keys)
            .await?
            .into_iter()
            .map_while(|chunk| chunk)
            .collect())
    }

    /// The latest checkpoint of each name that attempts before `attempt` wrote.
    pub(crate) async fn checkpoints(&self, job: &Job, attempt: u32) -> Result<BTreeMap<String, String>, StoreError> {
        if attempt <= 1 {
            return Ok(BTreeMap::new());
        }
        let owner = job_key(&job.tenant, job.id);
        let mut latest: BTreeMap<String, BlobKey> = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let names = self
                .store
                .blob_names(&owner, CHECKPOINT_PREFIX, after.as_deref(), NAMES_PAGE)
                .await?;
            // Attempts come in order, so that a later one takes the place of an earlier one.
            for name in &names {
                let Some((of, checkpoint)) = name
                    .strip_prefix(CHECKPOINT_PREFIX)
                    .and_then(|rest| rest.split_once('/'))
                else {
                    continue;
                };
                if of.parse::<u32>().is_ok_and(|of| of < attempt) {
                    latest.insert(
                        checkpoint.to_owned(),
                        BlobKey {
                            owner: owner.clone(),
                            name: name.clone(),
                        },
                    );
                }
            }
            if names.len() < NAMES_PAGE {
                break;
            }
            after = names.last().cloned();
        }
        let (names, keys): (Vec<String>, Vec<BlobKey>) = latest.into_iter().unzip();
        let values = self.texts(&keys).await?;
        Ok(names
            .into_iter()
            .zip(values)
            .filter_map(|(name, value)| Some((name, value?)))
            .collect())
    }

    /// Refuses unless `fence` speaks for the latest attempt, which has not been finished, of a job that has not ended.
    async fn check_writable(
        &self,
        tenant: &TenantName,
        robot: &RobotId,
        id: JobId,
        fence: &Fence,
    ) -> Result<(), Refusal> {
        let job = self.load_job(tenant, id).await?.ok_or(Refusal::NotFound)?.value;
        is_by(&job, robot, fence)?;
        if job.takes_notes_of(fence) {
            Ok(())
        } else {
            Err(Rejection::LeaseLost.into())
        }
    }

    async fn has_chunk(&self, owner: &Key, attempt: u32, seq: u32) -> Result<bool, StoreError> {
        Ok(!self
            .store
            .blob_names(owner, &chunk_name(attempt, seq), None, 1)
            .await?
            .is_empty())
    }

    async fn chunks(&self, owner: &Key, attempt: u32) -> Result<u32, StoreError> {
        let prefix = format!("log/{attempt:05}/");
        let (mut count, mut after) = (0, None::<String>);
        loop {
            let names = self
                .store
                .blob_names(owner, &prefix, after.as_deref(), NAMES_PAGE)
                .await?;
            count += u32::try_from(names.len()).unwrap_or(u32::MAX);
            if names.len() < NAMES_PAGE {
                return Ok(count);
            }
            after = names.last().cloned();
        }
    }
}

fn chunk_name(attempt: u32, seq: u32) -> String {
    format!("log/{attempt:05}/{seq:06}")
}
