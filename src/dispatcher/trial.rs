//! Test messages: one attempt to each recipient, past the store, its budgets and windows.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    task::{self, JoinSet},
    time::timeout,
};

use super::{Dispatcher, tell::public_id};
use crate::{
    host::{id, thread::Role, unwind::caught},
    policy::{notice::Notice, send_error::SendError},
    queue::trial::{TestMessage, TestReport, Trial},
    render::Renderer,
    sink::{DynSink, Message, Receipt, SEND_TIMEOUT},
};

impl Dispatcher<'_> {
    /// Sends a test message to everybody. The loop goes on meanwhile.
    pub(super) fn begin_trial(&mut self, trial: Trial) {
        let notice = Arc::new(Notice::trial(self.process.clone(), public_id(), SystemTime::now()));
        let sinks = self.lanes.iter().map(|lane| Arc::clone(&lane.sink));
        let whom = sinks.flat_map(|sink| {
            let recipients = self.targets.iter().filter(|target| target.sink == sink.name());
            let recipients: Vec<_> = recipients.map(|target| target.recipient.clone()).collect();
            recipients.into_iter().map(move |recipient| (Arc::clone(&sink), recipient))
        });
        let mut messages = JoinSet::new();
        for (sink, recipient) in whom {
            let (renderer, notice) = (self.renderer.clone(), Arc::clone(&notice));
            if sink.is_of_the_program() {
                self.inbox.echoes.begin_send();
            }
            messages.spawn(Role::Guest.play_all(async move {
                let start = Instant::now();
                let result = attempt(&*sink, &recipient, &renderer, notice).await;
                let (reference, error) = match result {
                    Ok(receipt) => (receipt.reference, None),
                    Err(error) => (None, Some(error)),
                };
                TestMessage { sink: sink.name(), recipient, reference, error, took: start.elapsed() }
            }));
        }
        let left = trial.deadline.saturating_duration_since(Instant::now());
        task::spawn(async move {
            let mut report = TestReport::default();
            let collect = async {
                while let Some(message) = messages.join_next().await {
                    // A sink that panicked has no message: the report is not complete.
                    report.messages.extend(message.ok());
                }
            };
            // Whoever waits has what there is.
            drop(timeout(left, collect).await);
            trial.done.set(report);
        });
    }
}

/// Sends one test message.
pub(crate) async fn attempt(
    sink: &dyn DynSink,
    recipient: &str,
    renderer: &Renderer,
    notice: Arc<Notice>,
) -> Result<Receipt, SendError> {
    let Some(rendered) = caught(|| renderer.render(&notice)) else {
        return Err(SendError::rejected("the rendering panicked"));
    };
    let message = Message {
        recipient: recipient.to_owned(),
        key: id::next().to_string(),
        attempt: 1,
        may_have_been_sent: false,
        valid_for: VALID_FOR,
        short: rendered.short,
        subject: rendered.email.subject,
        text: rendered.email.text,
        html: rendered.email.html,
        attachment: rendered.email.attachment,
        notice,
        found: Default::default(),
    };
    let sent = timeout(SEND_TIMEOUT, sink.send(&message)).await;
    sent.unwrap_or_else(|_| Err(SendError::ambiguous("the sink took too long")))
}

/// Nobody waits longer for a test.
const VALID_FOR: Duration = Duration::from_secs(10 * 60);
