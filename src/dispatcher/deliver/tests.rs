//! What comes of a delivery whose deadline passed.

use super::*;
use crate::{
    AlertLayer, Receipt, Sink,
    dispatcher::Inbox,
    event::tests::event,
    host::permit::Permit,
    outbox::Outbox,
    policy::{fingerprint::Grouping, redact::Policy},
};

/// Takes what it is given, if it can look it up.
struct Provider(bool);

impl Sink for Provider {
    fn name(&self) -> &'static str {
        "provider"
    }

    fn looks_up(&self) -> bool {
        self.0
    }

    async fn send(&self, message: &Message) -> Result<Receipt, SendError> {
        assert!(message.may_have_been_sent && message.valid_for.is_zero());
        Ok(Receipt::default())
    }
}

/// What comes of a delivery whose deadline passed while it was claimed.
async fn outcome(looks_up: bool) -> Result<Receipt, SendError> {
    let builder = AlertLayer::builder().in_memory().sink(Provider(looks_up), ["on-call"]);
    let config = builder.check().unwrap();
    let mut inbox =
        Inbox::new(Grouping::new("MyApp".to_owned(), None), Vec::new(), Policy::new(true, &[], &[]));
    let mut outbox = Outbox::default();
    let mut dispatcher = Dispatcher::open(&config.setup, Arc::default(), &mut inbox, &mut outbox).await;
    dispatcher.inbox.add(event("payment failed"), Permit::default(), &Counters::default());
    dispatcher.persist().await;
    dispatcher.hurry();
    dispatcher.tell().await;
    let now = SystemTime::now();
    let claims = dispatcher.outbox.store.claim("provider", 1, now, now).await.unwrap();
    assert_eq!(claims.len(), 1);
    dispatcher.outbox.store.shift(dispatcher.inbox.run, -1_000 * 3_600_000).await.unwrap();
    dispatcher.wake_lanes();
    dispatcher.start_due_deliveries().await;
    if let Some(finished) = dispatcher.in_flight.join_next_with_id().await {
        dispatcher.finish(finished);
    }
    dispatcher.unsettled.pop_front().unwrap().result
}

#[test]
fn what_may_have_been_sent_is_looked_up_although_its_deadline_passed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert!(outcome(true).await.is_ok());
        let error = outcome(false).await.unwrap_err();
        assert!(error.is_ambiguous(), "nobody knows that: {error}");
    });
}
