//! Writes the rows of a page that changed, whatever tables they are of, by one statement:
//! triggers of the schema put each where it belongs.
//!
//! Invariant: decides nothing; the order of the tables is that of their references.

use super::{
    super::{MAX_DRAWS, StoreError},
    json,
    turn::FileTurn,
};

impl FileTurn<'_> {
    /// Saves what changed on the page; public ids that are taken are drawn again before.
    pub(super) async fn save(&mut self, new_id: &dyn Fn() -> String) -> Result<(), StoreError> {
        for _ in 1..MAX_DRAWS {
            let drawn = self.page.drawn();
            let drawn = if drawn.is_empty() { break } else { json(&drawn) };
            let taken = self.taken(&drawn).await?;
            if taken.is_empty() {
                break;
            }
            self.page.redraw(&taken, new_id);
        }
        let statements = self.page.changed().map_err(|error| StoreError::Failed(error.to_string()))?;
        for rows in statements {
            self.write(rows).await?;
        }
        Ok(())
    }

    /// Those of `drawn` that something in the file has.
    async fn taken(&mut self, drawn: &str) -> Result<Vec<String>, StoreError> {
        let taken = sqlx::query_scalar!(
            r#"SELECT CAST(value AS TEXT) AS "id!: String" FROM json_each(?1) AS drawn
                WHERE EXISTS (SELECT 1 FROM incident WHERE public_id = drawn.value)
                   OR EXISTS (SELECT 1 FROM notice WHERE public_id = drawn.value)"#,
            drawn
        )
        .fetch_all(&mut *self.transaction)
        .await?;
        Ok(taken)
    }

    async fn write(&mut self, rows: String) -> Result<(), StoreError> {
        sqlx::query!(
            "INSERT INTO saved (tab, key, data)
             SELECT value ->> 0, value -> 1, nullif(value -> 2, 'null') FROM json_each(?1)",
            rows
        )
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}
