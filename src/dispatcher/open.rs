//! Which store the alert thread begins with.

use crate::{
    config::Database,
    store::{Memory, Store},
    trouble,
};

/// Opens the database; memory if that cannot be.
pub(super) async fn open_store(database: &Database, app: &str) -> Store {
    let memory = || Store::Memory(Memory::default());
    let why = match database {
        Database::Memory => return memory(),
        #[cfg(feature = "sqlite")]
        Database::File(path) => match open_file(path).await {
            Ok(store) => return store,
            Err(why) => format!("{}: {why}", path.display()),
        },
        #[cfg(feature = "sqlite")]
        Database::Default => match crate::store::database_path(app, |name| std::env::var_os(name)) {
            Some(path) => match open_file(&path).await {
                Ok(store) => return store,
                Err(why) => format!("{}: {why}", path.display()),
            },
            None => "there is no directory for application state".to_owned(),
        },
        #[cfg(not(feature = "sqlite"))]
        Database::File(_) | Database::Default => {
            let _: &str = app;
            "built without the feature `sqlite`".to_owned()
        }
    };
    trouble::say(&format!(
        "the database cannot be opened ({why}); alerts are kept in memory and are lost with the process: \
         set ALERT_DATABASE to a file that can be written"
    ));
    memory()
}

/// Opens the file; other processes may be opening it too.
#[cfg(feature = "sqlite")]
async fn open_file(path: &std::path::Path) -> Result<Store, crate::store::StoreError> {
    use std::time::Instant;

    use super::STORE_RETRY;
    use crate::store::StoreError;

    let deadline = Instant::now() + OPEN_TIMEOUT;
    loop {
        match crate::store::Sqlite::open(path).await {
            Ok(store) => return Ok(Store::Sqlite(Box::new(store))),
            Err(StoreError::Busy) if Instant::now() < deadline => tokio::time::sleep(STORE_RETRY).await,
            Err(error) => return Err(error),
        }
    }
}

/// How long a locked file is waited for at the start.
#[cfg(feature = "sqlite")]
const OPEN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
