//! Every sentence of the contract, on every store.

use std::{any::Any, sync::Arc};

use queue::Store;

/// A store, and what has to live as long.
type Kept = (Arc<dyn Store>, Box<dyn Any + Send>);

mod memory {
    use queue::memory::MemoryStore;

    use super::{Arc, Kept};

    #[expect(clippy::unused_async, reason = "opening other stores waits")]
    async fn empty() -> Kept {
        (Arc::new(MemoryStore::new()), Box::new(()))
    }

    api_tests::suite!(empty);
}

mod sqlite {
    use queue_sqlite::SqliteStore;

    use super::{Arc, Kept};

    async fn empty() -> Kept {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("remuda.db");
        let store = SqliteStore::open(path.to_str().expect("a plain path"))
            .await
            .expect("the file can be made");
        store.migrate().await.expect("the schema can be made");
        (Arc::new(store), Box::new(folder))
    }

    api_tests::suite!(empty);
}

mod postgres {
    use queue_postgres::{PostgresOptions, PostgresStore};

    use super::{Arc, Kept};

    async fn empty() -> Kept {
        let server = servers::shared().expect("Postgres runs");
        let url = server.fresh_database().expect("a database can be made");
        let options = PostgresOptions { max_connections: 4 };
        let store = PostgresStore::connect(&url, options).await.expect("the URL is right");
        store.migrate().await.expect("the schema can be made");
        (Arc::new(store), Box::new(()))
    }

    api_tests::suite!(empty);
}

mod dynamodb {
    use std::{
        process,
        sync::atomic::{AtomicU32, Ordering},
        time::Duration,
    };

    use queue_aws::AwsOptions;

    use super::{Arc, Kept};

    async fn empty() -> Kept {
        static TABLES: AtomicU32 = AtomicU32::new(0);
        let number = TABLES.fetch_add(1, Ordering::Relaxed);
        let server = servers::shared_dynamodb().expect("DynamoDB Local runs");
        let options = AwsOptions {
            dynamodb: Some(server.endpoint()),
            patience: Duration::from_mins(1),
            depth_fresh: Duration::ZERO,
            ..AwsOptions::on_table(format!("api-{}-{number}", process::id()))
        };
        let (store, _) = queue_aws::connect(options).await;
        store.migrate().await.expect("the table can be made");
        (Arc::new(store), Box::new(()))
    }

    api_tests::suite!(empty);
}
