//! A program with another allocator, and threads that end at once.

use tracing_alert::AlertLayer;
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    tracing_subscriber::registry().with(AlertLayer::from_env()).init();
    let workers = (0..8).map(|worker| std::thread::spawn(move || tracing::error!(worker, "payment failed")));
    workers.collect::<Vec<_>>().into_iter().for_each(|worker| worker.join().unwrap());
}
