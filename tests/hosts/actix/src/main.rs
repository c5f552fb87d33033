//! A web service of actix that logs by bunyan; one request fails.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use actix_web::{App, HttpResponse, HttpServer, web};
use tracing_alert::AlertLayer;
use tracing_bunyan_formatter::{BunyanFormattingLayer, JsonStorageLayer};
use tracing_subscriber::{filter::LevelFilter, prelude::*};

#[tracing::instrument]
async fn pay(order: web::Path<u32>) -> HttpResponse {
    tracing::error!("payment failed");
    HttpResponse::InternalServerError().finish()
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::registry()
        .with(JsonStorageLayer)
        .with(BunyanFormattingLayer::new("shop".to_owned(), std::io::stdout).with_filter(LevelFilter::INFO))
        .with(AlertLayer::from_env())
        .init();
    let server = HttpServer::new(|| App::new().route("/orders/{order}/pay", web::post().to(pay)));
    let server = server.workers(2).bind("127.0.0.1:0")?;
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let request =
            "POST /orders/17/pay HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        drop(handle.stop(true));
    });
    server.await
}
