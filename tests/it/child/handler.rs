//! A web service whose handler panics, three spans deep.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use tracing::instrument;

pub(super) fn panic_in_a_handler() {
    super::init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let address = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = axum::Router::new().route("/checkout", axum::routing::get(request));
        tokio::spawn(async move { axum::serve(listener, service).await });
        address
    });
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET /checkout HTTP/1.1\r\nHost: shop\r\n\r\n").unwrap();
    // The handler's end is the connection's.
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap_or_default(), 0);
}

#[instrument]
async fn request() -> &'static str {
    checkout(5).await
}

#[instrument]
async fn checkout(cart: u32) -> &'static str {
    charge(cart + 12).await
}

#[instrument]
async fn charge(order: u32) -> &'static str {
    let payments: [Option<&str>; 1] = [None];
    payments[usize::from(order == 0)].unwrap()
}
